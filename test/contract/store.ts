import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Checkout, CheckoutState, NewCheckout } from '../../src/store/checkout.ts'
import type { RecordOutcome } from '../../src/store/checkout-writes.ts'
import type { Completion } from '../../src/store/checkouts.ts'
import type { Store } from '../../src/store/open-store.ts'
import { COMPLETED } from '../../src/store/outbox.ts'
import { StoreError } from '../../src/store/store.ts'

/** A store to be tested, with a database of its own. */
export interface StoreUnderTest {
  store: Store
  /** Closes the store, and opens another one with the same database. */
  reopen(): Promise<Store>
}

export const EARLY = new Date('2026-11-22T10:00:00.000Z')

export const NEW_CHECKOUT: NewCheckout = {
  id: 'b4pZ0a-checkout',
  items: [
    { sku: 'tee', name: 'Black T-shirt, M', quantity: 2, amount: 2500 },
    { sku: 'mug', name: 'Mug', quantity: 1, amount: 1200 },
  ],
  amountTotal: 6200,
  currency: 'usd',
  link: '/buy/tee:2,mug:1?utm_source=mail',
  clientReferenceId: 'order-1',
  customerEmail: 'buyer@example.com',
  metadata: { utm_source: 'mail' },
  linkId: null,
  linkUses: null,
}

const KEY = { browserId: 'browser-1', purchaseHash: 'cart-1' }

const SESSION = {
  sessionId: 'session-1',
  paymentIntentId: 'intent-1',
  checkoutUrl: 'https://pay.example/c/1',
  expiresAt: '2026-11-22T12:59:59.000Z',
}

const FAILED = { state: 'failed', reason: 'dots-request-refused' } as const
const UNKNOWN = { state: 'unknown', reason: 'dots-timeout' } as const

const PAID = {
  sessionId: 'session-2',
  paymentIntentId: 'intent-2',
  customerEmail: 'payer@example.com',
  amountPaid: 6200,
}

/** A sale that nobody is told of, without a limit. */
export function completion(changes: Partial<Completion> = {}): Completion {
  return {
    payment: PAID,
    completedAt: '2026-11-22T10:30:00.000Z',
    amountMismatch: false,
    announcement: { id: randomUUID(), type: COMPLETED, body: '{}', state: 'none' },
    salesLimits: new Map(),
    ...changes,
  }
}

type Transition = (checkouts: Store['checkouts'], id: string) => Promise<RecordOutcome>

const TRANSITIONS: Record<string, { to: CheckoutState; from: CheckoutState[]; run: Transition }> = {
  recordFound: {
    to: 'open',
    from: ['creating', 'unknown', 'failed'],
    run: (checkouts, id) => checkouts.recordFound(id, SESSION),
  },
  recordCompletion: {
    to: 'complete',
    from: ['creating', 'open', 'unknown', 'failed', 'expired'],
    run: async (checkouts, id) => (await checkouts.recordCompletion(id, completion())).outcome,
  },
  recordExpiry: {
    to: 'expired',
    from: ['creating', 'open', 'unknown'],
    run: (checkouts, id) => checkouts.recordExpiry(id),
  },
}

/** How a checkout is brought into each state. */
const WAYS: Record<
  CheckoutState,
  (checkouts: Store['checkouts'], checkout: NewCheckout, at: string) => Promise<unknown>
> = {
  creating: (checkouts, checkout, at) => checkouts.recordRestored(checkout, at),
  open: (checkouts, checkout, at) => checkouts.recordOpened(checkout, SESSION, at),
  failed: (checkouts, checkout, at) => checkouts.recordUnopened(checkout, FAILED, at),
  unknown: (checkouts, checkout, at) => checkouts.recordUnopened(checkout, UNKNOWN, at),
  expired: async (checkouts, checkout, at) => {
    await checkouts.recordOpened(checkout, SESSION, at)
    await checkouts.recordExpiry(checkout.id)
  },
  complete: async (checkouts, checkout, at) => {
    await checkouts.recordOpened(checkout, SESSION, at)
    await checkouts.recordCompletion(checkout.id, completion())
  },
}
const STATES = Object.keys(WAYS) as CheckoutState[]

const CASES = Object.entries(TRANSITIONS).flatMap(([name, transition]) =>
  STATES.map((state) => ({ name, state, ...transition, allowed: transition.from.includes(state) })),
)

/**
 * What every implementation of {@link Store} has to do. `open` is called before each test with the clock to use;
 * what it creates it also deletes, with `onTestFinished`.
 */
export function storeContract(
  name: string,
  open: (options: { now: () => Date }) => Promise<StoreUnderTest>,
): void {
  describe(`${name} keeps the store's contract:`, () => {
    let clock = EARLY
    let store: Store
    let checkouts: Store['checkouts']
    let reopen: StoreUnderTest['reopen']

    beforeEach(async () => {
      clock = EARLY
      const opened = await open({ now: () => clock })
      ;({ store } = opened)
      ;({ checkouts } = store)
      reopen = async () => {
        store = await opened.reopen()
        checkouts = store.checkouts
        return store
      }
    })
    afterEach(() => store.close())

    async function inState(state: CheckoutState, id = NEW_CHECKOUT.id): Promise<Checkout> {
      await WAYS[state](checkouts, { ...NEW_CHECKOUT, id }, clock.toISOString())
      return read(id)
    }

    async function read(id = NEW_CHECKOUT.id): Promise<Checkout> {
      const checkout = await checkouts.find(id)
      if (checkout === undefined) throw new Error(`no checkout ${id}`)
      return checkout
    }

    function later(seconds: number): string {
      clock = new Date(clock.getTime() + seconds * 1000)
      return clock.toISOString()
    }

    test('a new checkout is read back whole, with nothing known of a session', async () => {
      await checkouts.recordRestored(NEW_CHECKOUT, clock.toISOString())
      expect(await read()).toEqual({
        ...NEW_CHECKOUT,
        browserId: null,
        state: 'creating',
        sessionId: null,
        paymentIntentId: null,
        checkoutUrl: null,
        expiresAt: null,
        amountPaid: null,
        failure: null,
        flags: [],
        isHeld: false,
        createdAt: EARLY.toISOString(),
        updatedAt: EARLY.toISOString(),
        completedAt: null,
      })
    })

    test('nothing is found under an id that was never written, nor under one that only looks alike', async () => {
      await checkouts.recordRestored(NEW_CHECKOUT, clock.toISOString())
      for (const id of [
        '',
        'other',
        NEW_CHECKOUT.id.toUpperCase(),
        `${NEW_CHECKOUT.id} `,
        '%',
        "' or 1=1 --",
      ]) {
        expect(await checkouts.find(id), id).toBeUndefined()
      }
    })

    test('a click writes its row with its session at once', async () => {
      expect(await checkouts.recordOpened({ ...NEW_CHECKOUT, ...KEY }, SESSION, EARLY.toISOString())).toBe(
        true,
      )
      expect(await read()).toMatchObject({
        ...NEW_CHECKOUT,
        ...SESSION,
        browserId: 'browser-1',
        state: 'open',
        failure: null,
      })
    })

    test.each(STATES)('a click replaces a row of its id unless it has ended (%s)', async (state) => {
      const before = await inState(state)
      const createdAt = later(5)
      const session = { ...SESSION, sessionId: 'sent-to' }
      const isKept = state === 'complete' || state === 'expired'
      const click = { ...NEW_CHECKOUT, ...KEY, link: '/buy/as-it-came' }
      expect(await checkouts.recordOpened(click, session, createdAt)).toBe(!isKept)
      if (isKept) expect(await read()).toEqual(before)
      else
        expect(await read()).toMatchObject({
          ...session,
          state: 'open',
          link: click.link,
          createdAt,
          failure: null,
        })
    })

    test.each(STATES)('a click without a session changes no row of its id (%s)', async (state) => {
      const before = await inState(state)
      expect(await checkouts.recordUnopened(NEW_CHECKOUT, UNKNOWN, later(5))).toBe(false)
      expect(await read()).toEqual(before)
    })

    test.each(CASES.filter(({ allowed }) => allowed))('$name leads from $state to $to', async (step) => {
      const before = await inState(step.state)
      const updatedAt = later(5)
      expect(await step.run(checkouts, before.id)).toBe('recorded')
      expect(await read()).toMatchObject({ state: step.to, createdAt: before.createdAt, updatedAt })
    })

    test.each(CASES.filter(({ allowed }) => !allowed))(
      '$name changes nothing that is $state',
      async (step) => {
        const before = await inState(step.state)
        later(5)
        expect(await step.run(checkouts, before.id)).toBe('superseded')
        expect(await read()).toEqual(before)
      },
    )

    test.each(Object.entries(TRANSITIONS))(
      '%s of an unknown id says so, and writes nothing',
      async (_name, { run }) => {
        await checkouts.recordRestored(NEW_CHECKOUT, clock.toISOString())
        const before = await read()
        expect(await run(checkouts, 'nobody')).toBe('unknown-checkout')
        expect(await checkouts.find('nobody')).toBeUndefined()
        expect(await read()).toEqual(before)
      },
    )

    test.each(Object.entries(TRANSITIONS))(
      '%s of one checkout changes no other checkout',
      async (_name, { run }) => {
        const before = await inState('creating', 'neighbour')
        await checkouts.recordRestored(NEW_CHECKOUT, clock.toISOString())
        later(5)
        expect(await run(checkouts, NEW_CHECKOUT.id)).toBe('recorded')
        expect(await read('neighbour')).toEqual(before)
      },
    )

    test('a checkout whose session has no ids is open as well', async () => {
      const bare = { ...SESSION, sessionId: undefined, paymentIntentId: undefined }
      await checkouts.recordOpened(NEW_CHECKOUT, bare, EARLY.toISOString())
      expect(await read()).toMatchObject({
        sessionId: null,
        paymentIntentId: null,
        checkoutUrl: SESSION.checkoutUrl,
      })
    })

    test('a failure keeps its reason, until the checkout opens or completes', async () => {
      expect((await inState('failed', 'a')).failure).toBe('dots-request-refused')
      expect((await inState('unknown', 'b')).failure).toBe('dots-timeout')
      await checkouts.recordCompletion('a', completion())
      await checkouts.recordFound('b', SESSION)
      expect((await read('a')).failure).toBeNull()
      expect((await read('b')).failure).toBeNull()
    })

    test('a completion keeps who paid how much, and when', async () => {
      await inState('open')
      const completedAt = later(60)
      expect(await checkouts.recordCompletion(NEW_CHECKOUT.id, completion({ completedAt }))).toEqual({
        outcome: 'recorded',
        oversold: [],
      })
      expect(await read()).toMatchObject({
        ...NEW_CHECKOUT,
        ...PAID,
        checkoutUrl: SESSION.checkoutUrl,
        completedAt,
      })
    })

    test('what Dots leaves out at completion does not erase what was known', async () => {
      await inState('open')
      const silent = {
        sessionId: undefined,
        paymentIntentId: undefined,
        customerEmail: undefined,
        amountPaid: undefined,
      }
      await checkouts.recordCompletion(NEW_CHECKOUT.id, completion({ payment: silent }))
      expect(await read()).toMatchObject({
        state: 'complete',
        sessionId: SESSION.sessionId,
        paymentIntentId: SESSION.paymentIntentId,
        customerEmail: NEW_CHECKOUT.customerEmail,
        amountPaid: null,
      })
    })

    test('a second completion is superseded, and the first one stays', async () => {
      const first = await inState('complete')
      later(60)
      const other = { ...PAID, amountPaid: 1, sessionId: 'session-3', customerEmail: 'thief@example.com' }
      expect(
        await checkouts.recordCompletion(
          NEW_CHECKOUT.id,
          completion({ payment: other, amountMismatch: true, completedAt: later(60) }),
        ),
      ).toEqual({ outcome: 'superseded' })
      expect(await read()).toEqual(first)
    })

    test('of many completions at once exactly one is the first', async () => {
      await inState('open')
      const paidBy = async (amountPaid: number) => {
        const payment = { ...PAID, amountPaid }
        return (await checkouts.recordCompletion(NEW_CHECKOUT.id, completion({ payment }))).outcome
      }
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => paidBy(n + 1)))
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'superseded')).toHaveLength(19)
      expect((await read()).amountPaid).toBe(outcomes.indexOf('recorded') + 1)
    })

    test('after expiry and completion at the same time the checkout is complete, in either order', async () => {
      for (const [id, order] of [
        ['a', ['recordExpiry', 'recordCompletion']],
        ['b', ['recordCompletion', 'recordExpiry']],
      ] as const) {
        await inState('open', id)
        const outcomes = await Promise.all(order.map((step) => TRANSITIONS[step]?.run(checkouts, id)))
        expect(outcomes[order.indexOf('recordCompletion')]).toBe('recorded')
        expect((await read(id)).state).toBe('complete')
      }
    })

    test('a hundred clicks at once are a hundred checkouts, each its own', async () => {
      const ids = Array.from({ length: 100 }, (_, n) => `click-${n}`)
      await Promise.all(
        ids.map((id, n) =>
          checkouts.recordOpened({ ...NEW_CHECKOUT, id, amountTotal: n + 1 }, SESSION, EARLY.toISOString()),
        ),
      )
      const found = await Promise.all(ids.toReversed().map((id) => checkouts.find(id)))
      expect(found.map((checkout) => checkout?.amountTotal)).toEqual(ids.map((_, n) => 100 - n))
    })

    test.each<[what: string, changes: Partial<NewCheckout>]>([
      ['nothing optional', { clientReferenceId: null, customerEmail: null, metadata: {} }],
      [
        'every script',
        {
          items: [{ sku: 'тройка-☕️', name: 'Füße "و" 茶碗 👩‍👩‍👧 \u202eabc', quantity: 1, amount: 1 }],
          metadata: { 'ключ👍': 'e\u0301 ist nicht é' },
          customerEmail: 'jörg@bücher.example',
        },
      ],
      [
        'what would break a query',
        {
          items: [
            { sku: `'";--\\`, name: `Robert'); DROP TABLE checkouts;--\n\t$1 ?`, quantity: 1, amount: 1 },
          ],
          link: `/buy/x?a='%00&b="\\`,
          metadata: { __proto__x: 'null', constructor: '{}', '': '' },
        },
      ],
      [
        'the largest sums',
        {
          items: [{ sku: 'palace', name: 'Palace', quantity: 99, amount: 90_980_000_000_000 }],
          amountTotal: Number.MAX_SAFE_INTEGER,
        },
      ],
      [
        'a long cart',
        {
          items: Array.from({ length: 500 }, (_, n) => ({
            sku: `sku-${n}`,
            name: 'n'.repeat(200),
            quantity: n + 1,
            amount: 5,
          })),
          link: `/buy/${'x'.repeat(15_000)}`,
        },
      ],
    ])('%s is read back as it was written, also after a restart', async (_what, changes) => {
      const written = { ...NEW_CHECKOUT, ...changes }
      await checkouts.recordRestored(written, clock.toISOString())
      expect(await read()).toMatchObject(written)
      await checkouts.recordCompletion(
        written.id,
        completion({ payment: { ...PAID, amountPaid: written.amountTotal } }),
      )
      const before = await read()
      await reopen()
      expect(await read()).toEqual(before)
      const { customerEmail: _payer, ...kept } = written
      expect(before).toMatchObject({ ...kept, amountPaid: written.amountTotal })
    })

    test.each(STATES)('a checkout that is %s is the same after a restart', async (state) => {
      const before = await inState(state)
      await reopen()
      expect(await read()).toEqual(before)
    })

    test('an open store answers a ping, a closed one throws a StoreError for everything', async () => {
      await expect(store.ping()).resolves.toBeUndefined()
      await store.close()
      await expect(store.ping()).rejects.toThrow(StoreError)
      await expect(checkouts.find('x')).rejects.toThrow(StoreError)
      await expect(checkouts.recordExpiry('x')).rejects.toThrow(StoreError)
      await reopen()
    })
  })
}
