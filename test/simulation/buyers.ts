import { buildLink } from '../../src/links/link-builder.ts'
import { CHECKOUT_ORIGIN, type SimulatedDots } from './dots.ts'
import type { RandomSource } from './random.ts'
import { LINK_SECRET, SHOP_ORIGIN, type Shop, type ShopAnswer } from './shop.ts'
import type { Troubles } from './troubles.ts'
import { monotonicMs, newOwner, rightTime, runAs } from './virtual-time.ts'

const MINUTE = 60_000
const BOT_AGENT = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
const PHONE_AGENT = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1'
/** Longer than a breaker of ours stays open, and than a pause that Dots can ask for, after what has opened it. */
const CREATES_RECOVER_MS = 3 * MINUTE
/** A reload that finds the payment has to be on disk at once. */
const READS_RECOVER_MS = 3 * MINUTE
const LOSES_ROWS = ['database-locked', 'database-full', 'database-gone'] as const
const BLOCKS_CREATES = ['creates-fail', 'dots-down', 'firewall', 'slow-dots', 'lost-answers'] as const
const BLOCKS_READS = ['reads-fail', 'dots-down', 'firewall', 'slow-dots'] as const

/** A payment that Dots has taken. Times are virtual milliseconds. */
export interface Sale {
  sessionId: string
  checkoutId: string
  paidAt: number
  /** When the session would have ended. */
  endsAt: number
  /** Another amount was paid than asked. */
  isMismatch: boolean
}

/** What a person wants to buy, and what it may cost. */
interface Errand {
  path: string
  quantity: number
  /** Of one unit, in cents, at this moment. */
  prices: () => readonly number[]
  /** It has a number of uses, and may be damaged: it may be refused, but never cost another price. */
  mayBeRefused: boolean
}

interface BuyersOptions {
  random: RandomSource
  troubles: Troubles
  dots: SimulatedDots
  shop: Shop
  fail: (rule: string, details: object) => void
  /** Of one unit, in cents, at this moment. */
  priceOf: (sku: string) => readonly number[]
  onSale: (sale: Sale) => void
}

export type Buyers = ReturnType<typeof simulatedBuyers>

/** People and programs that follow the shop's links. */
export function simulatedBuyers(options: BuyersOptions) {
  const { troubles, dots, shop, fail, priceOf, onSale } = options
  const owner = newOwner('buyers')
  const counts = { clicks: 0, redirected: 0, refused: 0, paid: 0, returned: 0, bots: 0, warm: 0 }
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  let people = 0
  /** Who was sent to which session. */
  const buyerOf = new Map<string, string>()

  const isCalm = (kinds: Parameters<Troubles['calmMs']>[0], afterMs: number) => {
    const now = monotonicMs()
    return troubles.calmMs(kinds, now, now + 1, afterMs) > 0
  }

  function checkRefusal(answer: ShopAnswer): void {
    counts.refused += 1
    if (isCalm(BLOCKS_CREATES, CREATES_RECOVER_MS) && isCalm(['restart'], 10_000)) {
      fail('click-refused', { status: answer.status, code: shop.lastFailure })
    }
  }

  /** A person with a browser of their own, from the first click to the end. */
  async function person(random: RandomSource): Promise<void> {
    people += 1
    const ip = `203.0.${random.below(256)}.${random.below(256)}`
    const name = `person-${people}`
    const errand = random.chance(0.15) ? signedErrand(random, name) : plainErrand(random, name)
    const headers: Record<string, string> = { 'user-agent': PHONE_AGENT, accept: 'text/html' }

    const click = async (): Promise<ShopAnswer | undefined> => {
      counts.clicks += 1
      const pricesBefore = errand.prices()
      const answer = await shop.request({ path: errand.path, headers, ip })
      if (answer === undefined) return undefined
      if (answer.cookie !== undefined) headers.cookie = answer.cookie
      if (answer.location !== undefined) {
        counts.redirected += 1
        const other = buyerOf.get(answer.location) ?? name
        if (other !== name) fail('session-of-two-buyers', { location: answer.location, name, other })
        buyerOf.set(answer.location, name)
        if (dots.sandbox.find(sessionOf(answer.location))?.metadata?.warm !== undefined) counts.warm += 1
        checkSession(answer.location, errand.quantity, [...pricesBefore, ...errand.prices()])
      } else if (!errand.mayBeRefused || answer.status >= 500) checkRefusal(answer)
      return answer
    }
    const clickUntilRedirected = async () => {
      for (let attempt = 0; attempt < 3; attempt++) {
        const answer = await click()
        if (answer?.location !== undefined) return answer
        await sleep(random.between(2_000, 40_000))
      }
      return undefined
    }

    let answer = await clickUntilRedirected()
    if (answer === undefined) return
    if (random.chance(0.1)) {
      // With the cookie of the first click: back, and twice at once.
      await sleep(random.between(500, 20_000))
      const both = await Promise.all([click(), click()])
      const places = new Set(both.flatMap((one) => one?.location ?? []))
      if (
        places.size > 1 &&
        isCalm([...LOSES_ROWS, ...BLOCKS_READS, 'lost-answers', 'crash', 'clock-jump'], MINUTE)
      )
        fail('two-sessions-of-one-click', { places: [...places] })
      answer = both.find((one) => one?.location !== undefined) ?? answer
    }
    const sessionId = sessionOf(answer.location ?? '')
    if (random.chance(0.35)) return
    await sleep(random.chance(0.1) ? random.between(MINUTE, 60 * MINUTE) : random.between(8_000, 3 * MINUTE))
    if (!(await pay(sessionId, random))) return
    if (random.chance(0.35)) return
    await sleep(random.between(200, 5_000))
    await comeBack(sessionId, ip, headers, random)
    if (random.chance(0.1)) {
      await sleep(random.between(2_000, 2 * MINUTE))
      await click()
    }
  }

  /** A click may lead to no session but an open one, for exactly what was asked. */
  function checkSession(location: string, quantity: number, prices: readonly number[]): void {
    const session = dots.sandbox.find(sessionOf(location))
    if (session === undefined) {
      fail('redirect-to-nowhere', { location })
      return
    }
    const [item] = session.asked.line_items
    const amount = item?.price_data.amount ?? 0
    if (item?.quantity !== quantity || !prices.includes(amount)) {
      fail('other-price-or-quantity', { session: session.id, quantity: item?.quantity, amount, prices })
    }
    if (
      session.status !== 'open' &&
      isCalm([...BLOCKS_READS, ...LOSES_ROWS, 'clock-jump'], READS_RECOVER_MS)
    ) {
      if (!dots.badSessions.has(session.id)) fail('redirect-to-ended-session', { status: session.status })
    }
  }

  function plainErrand(random: RandomSource, name: string): Errand {
    const sku = random.pick(['tee', 'tee', 'mug', 'lamp'])
    // A link that says nothing but the product, which may get a session that was made ahead.
    if (random.chance(0.4)) {
      return { path: `/buy/${sku}?ref=${name}`, quantity: 1, prices: () => priceOf(sku), mayBeRefused: false }
    }
    const quantity = 1 + random.below(3)
    const path = `/buy/${sku}?quantity=${quantity}&client_reference_id=${name}`
    return { path, quantity, prices: () => priceOf(sku), mayBeRefused: false }
  }

  /** A link with a price of its own, which may lose its end or get a full stop behind it on the way. */
  function signedErrand(random: RandomSource, name: string): Errand {
    const amount = 100 + random.below(500)
    const link = buildLink({
      publicUrl: new URL(SHOP_ORIGIN),
      items: [{ sku: 'tee', quantity: 2 }],
      parameters: { clientReferenceId: name },
      signing: { secrets: [LINK_SECRET], amount, uses: 1 + random.below(3) },
    }).slice(SHOP_ORIGIN.length)
    const isDamaged = random.chance(0.4)
    // What is left of a link that was cut before the name of its signature is a plain link, as far as anybody can know.
    const cut = link.slice(0, link.indexOf('link_signature=') + 15 + random.below(link.length))
    const path = !isDamaged
      ? link
      : random.chance(0.5)
        ? cut
        : `${link}${random.pick(['.', ')', '?utm_source=mail'])}`
    return { path, quantity: 2, prices: () => [amount], mayBeRefused: true }
  }

  async function pay(sessionId: string, random: RandomSource): Promise<boolean> {
    const session = dots.sandbox.find(sessionId)
    if (session?.status !== 'open') return false
    const isMismatch = random.chance(0.02)
    const amountTotal = isMismatch ? session.amount_total + 1 : undefined
    const payment = { email: `${sessionId}@example.com`, amountTotal }
    await runAs(dots.owner, () => dots.sandbox.pay(sessionId, payment))
    counts.paid += 1
    const endsAt = monotonicMs() + Date.parse(session.expiry) - rightTime().getTime()
    const checkoutId = String(session.metadata?.checkout_id)
    onSale({ sessionId, checkoutId, paidAt: monotonicMs(), endsAt, isMismatch })
    return true
  }

  async function comeBack(
    sessionId: string,
    ip: string,
    headers: Record<string, string>,
    random: RandomSource,
  ): Promise<void> {
    const session = dots.sandbox.find(sessionId)
    if (session === undefined) return
    const path = session.success_url.slice(SHOP_ORIGIN.length)
    for (let reload = 0; reload < 1 + random.below(3); reload++) {
      counts.returned += 1
      const wasPaid = session.status === 'complete'
      const answer = await shop.request({ path, headers, ip })
      const saysPaid = answer?.body.includes('payment is complete') === true
      if (saysPaid && !wasPaid) fail('told-paid-before-paid', { session: sessionId })
      if (answer !== undefined && answer.status >= 500 && isCalm([...LOSES_ROWS, 'restart'], 10_000)) {
        fail('return-refused', { status: answer.status })
      }
      await sleep(random.between(1_000, 10_000))
    }
  }

  /** A program that reads links, in one of its forms. It must never open a session. */
  async function bot(random: RandomSource): Promise<void> {
    counts.bots += 1
    const path = `/buy/tee?ref=bot-${counts.bots}`
    const ip = `198.51.100.${random.below(256)}`
    const form = random.below(3)
    const headers: Record<string, string> =
      form === 0
        ? { 'user-agent': BOT_AGENT }
        : { 'user-agent': PHONE_AGENT, ...(form === 1 && { 'sec-purpose': 'prefetch' }) }
    await shop.request({ method: form === 2 ? 'HEAD' : 'GET', path, headers, ip })
  }

  return {
    counts,

    /** Comes at random moments, `perHour` on average, until `untilMs`. */
    async crowd(perHour: number, untilMs: number): Promise<void> {
      await runAs(owner, async () => {
        const random = options.random.fork('crowd')
        while (monotonicMs() < untilMs) {
          await sleep((-Math.log(1 - random.next()) * 60 * MINUTE) / perHour)
          const who = random.chance(0.1) ? bot : person
          void who(random.fork(`person ${people}`))
        }
      })
    },

    /** Many people within a short time. */
    async flashSale(people: number, duringMs: number): Promise<void> {
      await runAs(owner, async () => {
        const random = options.random.fork(`flash ${monotonicMs()}`)
        for (let number = 0; number < people; number++) {
          void person(random.fork(String(number)))
          await sleep(duringMs / people)
        }
      })
    },
  }
}

function sessionOf(location: string): string {
  return location.startsWith(`${CHECKOUT_ORIGIN}/checkout/`) ? (location.split('/').at(-1) ?? '') : ''
}
