import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Checkout } from '../../src/store/checkout.ts'
import type { CheckoutFilter } from '../../src/store/checkout-lookups.ts'
import type { Store } from '../../src/store/open-store.ts'
import type { AnnouncementStatus } from '../../src/store/outbox.ts'
import { MAX_ROWS } from '../../src/store/store.ts'
import { completion, EARLY, NEW_CHECKOUT, type StoreUnderTest } from './store.ts'

/** What a store has to do beside its checkouts one by one: lists, sales, events, announcements, leases. */
export function orderBooksContract(
  name: string,
  open: (options: { now: () => Date }) => Promise<StoreUnderTest>,
): void {
  describe(`${name} keeps lists, sales, events and leases:`, () => {
    let clock = EARLY
    let store: Store
    let reopen: () => Promise<void>

    beforeEach(async () => {
      clock = EARLY
      const opened = await open({ now: () => clock })
      ;({ store } = opened)
      reopen = async () => {
        store = await opened.reopen()
      }
    })
    afterEach(() => store.close())

    function at(seconds: number): string {
      return new Date(EARLY.getTime() + seconds * 1000).toISOString()
    }

    function goTo(seconds: number): void {
      clock = new Date(at(seconds))
    }

    async function sell(id: string, changes: Partial<typeof NEW_CHECKOUT> = {}): Promise<void> {
      await store.checkouts.recordRestored({ ...NEW_CHECKOUT, ...changes, id }, clock.toISOString())
    }

    async function openUntil(id: string, seconds: number): Promise<void> {
      const session = {
        sessionId: `session-${id}`,
        paymentIntentId: `intent-${id}`,
        checkoutUrl: 'https://pay.example/c',
        expiresAt: at(seconds),
      }
      await store.checkouts.recordOpened({ ...NEW_CHECKOUT, id }, session, clock.toISOString())
    }

    const ids = (checkouts: Checkout[]) => checkouts.map(({ id }) => id)

    async function list(filter: CheckoutFilter, limit: number, after?: Checkout): Promise<Checkout[]> {
      return (await store.checkouts.list(filter, limit, after)).map(({ checkout }) => checkout)
    }

    const announcement = (id: string) => ({
      id,
      type: 'checkout.completed',
      body: `{"of":"${id}"}`,
      state: 'pending' as const,
    })

    describe('lists', () => {
      test('the newest comes first, and pages neither repeat nor skip, also within one moment', async () => {
        for (const [id, second] of [
          ['b', 1],
          ['a', 1],
          ['c', 1],
          ['old', 0],
          ['new', 2],
        ] as const) {
          goTo(second)
          await sell(id)
        }
        const found: Checkout[] = []
        for (let page = await list({}, 2); page.length > 0; ) {
          found.push(...page)
          page = await list({}, 2, found.at(-1))
        }
        expect(ids(found)).toEqual(['new', 'c', 'b', 'a', 'old'])
      })

      test('filters keep to state and time', async () => {
        await openUntil('open', 60)
        goTo(10)
        await sell('creating')
        expect(ids(await list({ state: 'open' }, 9))).toEqual(['open'])
        expect(ids(await list({ since: at(10) }, 9))).toEqual(['creating'])
        expect(ids(await list({ until: at(10) }, 9))).toEqual(['open'])
        expect(await list({ state: 'expired' }, 9)).toEqual([])
      })

      test('the filter `failed` finds checkouts with a flag or a failed announcement', async () => {
        for (const id of ['flagged', 'unannounced', 'fine']) await sell(id)
        await store.checkouts.recordCompletion('flagged', completion({ amountMismatch: true }))
        await store.checkouts.recordCompletion(
          'unannounced',
          completion({ announcement: announcement('m1') }),
        )
        await store.checkouts.recordCompletion('fine', completion({ announcement: announcement('m2') }))
        goTo(7_200)
        expect(await store.outbox.claimDue(9, at(9_999))).toHaveLength(2)
        await store.outbox.recordUndelivered({ id: 'm1', attempts: 1 }, 'status-500', undefined)
        expect(ids(await list({ failed: true }, 9)).toSorted()).toEqual(['flagged', 'unannounced'])
      })

      test('a product is found by its exact sku, whatever a name says', async () => {
        const item = { sku: 'tee', name: 'T', quantity: 1, amount: 1 }
        await sell('tee', { items: [item] })
        await sell('two', { items: [{ ...item, sku: '100%_"ü"' }, item] })
        await sell('upper', { items: [{ ...item, sku: 'TEE' }] })
        await sell('longer', { items: [{ ...item, sku: 'tee-2', name: '"sku":"tee",' }] })
        expect(ids(await list({ sku: 'tee' }, 9)).toSorted()).toEqual(['tee', 'two'])
        expect(ids(await list({ sku: '100%_"ü"' }, 9))).toEqual(['two'])
        expect(ids(await list({ sku: 'TEE', state: 'creating' }, 9))).toEqual(['upper'])
        for (const sku of ['te', '%', 't_e', '']) expect(await list({ sku }, 9), sku).toEqual([])
      })

      test('each checkout is listed with the state of its announcement', async () => {
        await sell('open')
        for (const id of ['m1', 'm2']) {
          await sell(id)
          await store.checkouts.recordCompletion(id, completion({ announcement: announcement(id) }))
          goTo(7_200)
        }
        await store.outbox.claimDue(9, at(9_999))
        await store.outbox.recordUndelivered({ id: 'm1', attempts: 1 }, 'status-500', at(9_999))
        await store.outbox.recordDelivered('m2')
        const found = (await store.checkouts.list({}, 9)).map(
          ({ checkout, announcement: sent }) => [checkout.id, sent] as const,
        )
        expect(Object.fromEntries(found)).toEqual({
          open: undefined,
          m1: { state: 'pending', lastError: 'status-500' },
          m2: { state: 'delivered', lastError: null },
        })
      })

      test('many checkouts are found by their own ids alone', async () => {
        for (const id of ['a', 'b', 'c']) await openUntil(id, 60)
        expect(ids(await store.checkouts.findMany(['c', 'a', 'nobody', 'session-b'])).toSorted()).toEqual([
          'a',
          'c',
        ])
        expect(await store.checkouts.findMany([])).toEqual([])
      })

      test('a checkout is found by its own id, its session or its payment intent', async () => {
        await openUntil('a', 60)
        await openUntil('b', 60)
        const { checkouts } = store
        for (const id of ['a', 'session-a', 'intent-a']) {
          expect(ids(await checkouts.findByAnyId(['nobody', id]))).toEqual(['a'])
        }
        expect(ids(await checkouts.findByAnyId(['a', 'session-b', 'intent-b'])).toSorted()).toEqual([
          'a',
          'b',
        ])
        expect(await checkouts.findByAnyId([])).toEqual([])
        expect(await checkouts.findByAnyId(['%', 'session-'])).toEqual([])
      })

      test('overdue checkouts are the open ones past their expiry that were not checked lately', async () => {
        for (const [id, end] of [
          ['late', 20],
          ['later', 10],
          ['running', 100],
        ] as const) {
          await openUntil(id, end)
        }
        await sell('creating')
        goTo(45)
        const times = { endedBefore: at(50), latestExpiry: at(1_000), checkedBefore: [at(40), at(30)] }
        const overdue = async (changes = {}, limit = 9) =>
          ids(await store.checkouts.overdue({ ...times, ...changes }, limit))
        expect(await overdue()).toEqual(['later', 'late'])
        expect(await overdue({}, 1)).toEqual(['later'])
        await store.checkouts.recordCheck('later', 0)
        expect(await overdue()).toEqual(['late'])
        goTo(46)
        expect(await overdue({ checkedBefore: [at(46)] })).toHaveLength(2)
        await store.checkouts.recordCheck('later', 0, null)
        expect(await overdue()).toEqual(['later', 'late'])
      })

      test('overdue checkouts wait longer with each failed check, and come after those that have not failed', async () => {
        for (const [id, end] of [
          ['bad', 10],
          ['worse', 11],
          ['new', 20],
        ] as const) {
          await openUntil(id, end)
        }
        await store.checkouts.recordCheck('bad', 1, at(30))
        await store.checkouts.recordCheck('worse', 7, at(30))
        goTo(90)
        const overdue = async (...checkedBefore: string[]) =>
          ids(
            await store.checkouts.overdue({ endedBefore: at(50), latestExpiry: at(1_000), checkedBefore }, 9),
          )
        expect(await overdue(at(80), at(31), at(31))).toEqual(['new', 'bad', 'worse'])
        expect(await overdue(at(80), at(31), at(29))).toEqual(['new', 'bad'])
        expect(await overdue(at(80), at(29), at(29))).toEqual(['new'])
      })

      test('an expiry that no session can have, or a check in the future, keeps no checkout from being overdue', async () => {
        await openUntil('ahead', 999_999)
        await openUntil('checked-ahead', 20)
        await openUntil('running', 100)
        await store.checkouts.recordCheck('checked-ahead', 3, at(999_999))
        goTo(60)
        const times = { endedBefore: at(50), latestExpiry: at(1_000), checkedBefore: [at(40)] }
        expect(ids(await store.checkouts.overdue(times, 9)).toSorted()).toEqual(['ahead', 'checked-ahead'])
        goTo(-500)
        await sell('created-ahead')
        goTo(-999)
        expect(ids(await store.checkouts.unresolved(at(-1_500), 9))).toEqual(['created-ahead'])
      })

      test('after a backfill many are changed at once, but a limited number in a step', async () => {
        for (let n = 0; n <= MAX_ROWS; n++) await sell(`lost-${n}`)
        await openUntil('open', 20)
        goTo(9_000)
        expect(await store.checkouts.failUnresolved(at(1), at(5_000))).toBe(0)
        expect(await store.checkouts.failUnresolved(at(0), at(5_000))).toBe(MAX_ROWS)
        expect(await store.checkouts.failUnresolved(at(0), at(5_000))).toBe(1)
        expect(await store.checkouts.find('lost-0')).toMatchObject({
          state: 'failed',
          failure: 'never-opened',
        })
        const times = { endedBefore: at(50), latestExpiry: at(20_000), checkedBefore: [at(40)] }
        expect(ids(await store.checkouts.overdue(times, 9))).toEqual(['open'])
        expect(await store.checkouts.expireForgotten(at(0), at(20))).toBe(0)
        expect(await store.checkouts.expireForgotten(at(0), at(21))).toBe(1)
        await openUntil('second', 20)
        expect(await store.checkouts.recordExpiries(['second', 'open', 'lost-0', 'nobody'])).toBe(1)
        expect(await store.checkouts.find('second')).toMatchObject({ state: 'expired' })
      })

      test('unresolved checkouts are the old ones of which it is unknown whether a session exists', async () => {
        await sell('first')
        goTo(1)
        const left = (id: string, state: 'failed' | 'unknown') =>
          store.checkouts.recordUnopened({ ...NEW_CHECKOUT, id }, { state, reason: 'dots-timeout' }, at(1))
        await left('second', 'unknown')
        await left('failed', 'failed')
        await openUntil('open', 60)
        goTo(5)
        await sell('young')
        expect(ids(await store.checkouts.unresolved(at(5), 9))).toEqual(['first', 'second'])
        expect(ids(await store.checkouts.unresolved(at(5), 1))).toEqual(['first'])
      })

      test('a lost checkout is restored with its old time, and never over an existing one', async () => {
        const { checkouts } = store
        expect(await checkouts.recordRestored(NEW_CHECKOUT, at(-500))).toBe(true)
        await checkouts.recordCompletion(NEW_CHECKOUT.id, completion())
        const before = await checkouts.find(NEW_CHECKOUT.id)
        expect(before).toMatchObject({ createdAt: at(-500), state: 'complete' })
        expect(await checkouts.recordRestored({ ...NEW_CHECKOUT, amountTotal: 1 }, at(0))).toBe(false)
        expect(await checkouts.find(NEW_CHECKOUT.id)).toEqual(before)
      })
    })

    describe('sales', () => {
      test('a sale is counted when it completes, once', async () => {
        await sell('a')
        expect(await store.checkouts.countSales('tee', 9)).toBe(0)
        await store.checkouts.recordCompletion('a', completion())
        await store.checkouts.recordCompletion('a', completion())
        expect(await store.checkouts.countSales('tee', 9)).toBe(1)
        expect(await store.checkouts.countSales('mug', 9)).toBe(1)
        expect(await store.checkouts.countSales('TEE', 9)).toBe(0)
        await reopen()
        expect(await store.checkouts.countSales('tee', 9)).toBe(1)
      })

      test('of steps that go together one that fails half way leaves nothing, and the others are whole', async () => {
        const buyers = ['a', 'b', 'c']
        for (const id of buyers) await sell(id)
        // The announcement is written last, when the checkout is complete and its sales are counted.
        const taken = announcement('a')
        const announcements = [taken, taken, announcement('c')]
        const outcomes = await Promise.allSettled(
          buyers.map((id, index) =>
            store.checkouts.recordCompletion(id, completion({ announcement: announcements[index] ?? taken })),
          ),
        )
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
        await reopen()
        const found = await Promise.all(buyers.map((id) => store.checkouts.find(id)))
        expect(found.map((one) => one?.state)).toEqual(['complete', 'creating', 'complete'])
        expect(await store.checkouts.countSales('tee', 9)).toBe(2)
      })

      test('sales are counted up to the limit that is asked for', async () => {
        for (const id of ['a', 'b', 'c']) {
          await sell(id)
          await store.checkouts.recordCompletion(id, completion())
        }
        expect(await store.checkouts.countSales('tee', 2)).toBe(2)
        expect(await store.checkouts.countSales('tee', 3)).toBe(3)
        expect(await store.checkouts.countSales('tee', Number.MAX_SAFE_INTEGER)).toBe(3)
      })

      test('of buyers who pay at once exactly those past the limit are reported, and flagged', async () => {
        const buyers = ['a', 'b', 'c', 'd', 'e']
        for (const id of buyers) await sell(id)
        const salesLimits = new Map([['tee', 3]])
        const outcomes = await Promise.all(
          buyers.map((id) => store.checkouts.recordCompletion(id, completion({ salesLimits }))),
        )
        const oversold = outcomes.filter((sale) => sale.outcome === 'recorded' && sale.oversold.length > 0)
        expect(oversold).toEqual(Array(2).fill({ outcome: 'recorded', oversold: ['tee'] }))
        const found = await list({ failed: true }, 9)
        expect(found.map(({ flags }) => flags)).toEqual([['oversold'], ['oversold']])
      })

      test('a mismatch and an oversold product are two flags', async () => {
        await sell('a')
        const both = completion({ amountMismatch: true, salesLimits: new Map([['tee', 0]]) })
        await store.checkouts.recordCompletion('a', both)
        expect((await store.checkouts.find('a'))?.flags).toEqual(['oversold', 'amount-mismatch'])
      })
    })

    describe('events', () => {
      /** Records an event whose first attempt is over at once. */
      function record(id: string, candidateIds: readonly string[]): Promise<'new' | 'seen'> {
        return store.events.record(id, candidateIds, clock.toISOString())
      }

      test('an event is new once, also when two callers record it at the same time', async () => {
        const both = await Promise.all([record('e1', ['x']), record('e1', ['x'])])
        expect(both.toSorted()).toEqual(['new', 'seen'])
        await reopen()
        expect(await record('e1', ['other'])).toBe('seen')
      })

      test('a new event is claimed by its recorder, and by one other caller after that time', async () => {
        await store.events.record('e1', ['intent-1', 'ünï'], at(20))
        goTo(19)
        expect(await store.events.claimDue(9, at(60))).toEqual([])
        goTo(20)
        const taken = await Promise.all([store.events.claimDue(9, at(60)), store.events.claimDue(9, at(60))])
        expect(taken.flat()).toEqual([{ id: 'e1', candidateIds: ['intent-1', 'ünï'], attempts: 2 }])
        goTo(59)
        expect(await store.events.claimDue(9, at(200))).toEqual([])
        goTo(60)
        expect(await store.events.claimDue(9, at(200))).toMatchObject([{ id: 'e1', attempts: 3 }])
      })

      test('an event that is recorded again keeps the claim of the first', async () => {
        await store.events.record('e1', [], at(20))
        expect(await store.events.record('e1', [], at(500))).toBe('seen')
        goTo(20)
        expect(await store.events.claimDue(9, at(60))).toHaveLength(1)
      })

      test('no more events are claimed than asked for, the longest due first', async () => {
        for (const [id, second] of [
          ['third', 3],
          ['first', 1],
          ['second', 2],
        ] as const) {
          await store.events.record(id, [], at(second))
        }
        goTo(9)
        const claimed = async () => (await store.events.claimDue(2, at(99))).map(({ id }) => id).toSorted()
        expect(await claimed()).toEqual(['first', 'second'])
        expect(await claimed()).toEqual(['third'])
      })

      test('a finished event is not claimed again, a retried one at its time', async () => {
        for (const id of ['done', 'done-too', 'again', 'not-counted']) await record(id, [])
        await store.events.recordDone(['done', 'done-too'])
        await store.events.recordRetry(['again'], at(30))
        await store.events.recordRetry(['not-counted'], at(30), false)
        expect(await store.events.claimDue(9, at(99))).toEqual([])
        goTo(30)
        const claimed = (await store.events.claimDue(9, at(99))).map(({ id, attempts }) => [id, attempts])
        expect(Object.fromEntries(claimed)).toEqual({ again: 2, 'not-counted': 1 })
      })

      test('an event that would wait longer than events ever do is due', async () => {
        await store.events.record('ahead', [], at(365 * 86_400))
        await store.events.record('soon', [], at(60))
        expect((await store.events.claimDue(9, at(99))).map(({ id }) => id)).toEqual(['ahead'])
      })

      test('the ids that events have named are listed page by page, also of those that are done', async () => {
        for (let n = 0; n <= MAX_ROWS; n++) await record(`e-${String(n).padStart(3, '0')}`, [`intent-${n}`])
        await store.events.recordDone(['e-000'])
        const first = await store.events.named()
        expect(first.candidateIds).toHaveLength(MAX_ROWS)
        expect(first.candidateIds).toContain('intent-0')
        expect(await store.events.named(first.next)).toEqual({
          candidateIds: [`intent-${MAX_ROWS}`],
          next: undefined,
        })
      })

      test('old events are deleted, and only they, unless they are not done', async () => {
        for (const id of ['old', 'pending']) await record(id, [])
        goTo(99)
        await record('ahead', [])
        goTo(10)
        await record('young', [])
        await store.events.recordDone(['old', 'ahead', 'young'])
        expect(await store.events.prune(at(10))).toBe(2)
        expect(await record('old', [])).toBe('new')
        expect(await record('ahead', [])).toBe('new')
        expect(await record('pending', [])).toBe('seen')
        expect(await record('young', [])).toBe('seen')
      })

      test('no more than a limited number are deleted at once', async () => {
        const all = Array.from({ length: MAX_ROWS + 1 }, (_, n) => `e-${n}`)
        for (const id of all) await record(id, [])
        await store.events.recordDone(all)
        goTo(10)
        expect(await store.events.prune(at(10))).toBe(MAX_ROWS)
        expect(await store.events.prune(at(10))).toBe(1)
      })
    })

    describe('announcements', () => {
      async function announced(id = 'm1', checkout = 'a'): Promise<void> {
        await sell(checkout)
        await store.checkouts.recordCompletion(
          checkout,
          completion({ completedAt: clock.toISOString(), announcement: announcement(id) }),
        )
      }

      async function statusOf(checkoutId: string): Promise<AnnouncementStatus | undefined> {
        const listed = await store.checkouts.list({}, 99)
        return listed.find(({ checkout }) => checkout.id === checkoutId)?.announcement
      }

      test('it is written with the completion, and claimed by one caller until its time is over', async () => {
        await announced()
        const taken = await Promise.all([store.outbox.claimDue(9, at(60)), store.outbox.claimDue(9, at(60))])
        expect(taken.flat()).toEqual([
          {
            id: 'm1',
            body: announcement('m1').body,
            state: 'pending',
            checkoutId: 'a',
            attempts: 1,
            lastError: null,
            createdAt: expect.any(String),
          },
        ])
        goTo(60)
        await reopen()
        expect(await store.outbox.claimDue(9, at(99))).toMatchObject([{ id: 'm1', attempts: 2 }])
      })

      test('a second completion announces nothing', async () => {
        await sell('a')
        await store.checkouts.recordCompletion('a', completion())
        await store.checkouts.recordCompletion('a', completion({ announcement: announcement('m1') }))
        expect(await statusOf('a')).toEqual({ state: 'none', lastError: null })
      })

      test('a delivered one is not sent again, a retry waits, and a failed one keeps its reason', async () => {
        for (const id of ['ok', 'later', 'never']) await announced(id, id)
        expect(await store.outbox.claimDue(9, at(5))).toHaveLength(3)
        await store.outbox.recordUndelivered({ id: 'ok', attempts: 1 }, 'timeout', at(0))
        await store.outbox.recordDelivered('ok')
        await store.outbox.recordUndelivered({ id: 'later', attempts: 1 }, 'status-500', at(30))
        await store.outbox.recordUndelivered({ id: 'never', attempts: 1 }, 'status-410', undefined)
        // What is reported late of an attempt that is not the last one changes nothing.
        await store.outbox.recordUndelivered({ id: 'ok', attempts: 1 }, 'late', undefined)
        await store.outbox.recordUndelivered({ id: 'later', attempts: 0 }, 'late', undefined)
        expect(await store.outbox.claimDue(9, at(99))).toEqual([])
        expect(await statusOf('ok')).toEqual({ state: 'delivered', lastError: null })
        expect(await statusOf('later')).toEqual({ state: 'pending', lastError: 'status-500' })
        expect(await statusOf('never')).toEqual({ state: 'failed', lastError: 'status-410' })
        goTo(30)
        expect((await store.outbox.claimDue(9, at(99))).map(({ id }) => id)).toEqual(['later'])
      })

      test('one that would wait longer than announcements ever do is due', async () => {
        await announced()
        await store.outbox.claimDue(9, at(60))
        await store.outbox.recordUndelivered({ id: 'm1', attempts: 1 }, 'status-500', at(365 * 86_400))
        expect(await store.outbox.claimDue(9, at(60))).toHaveLength(1)
        await store.outbox.recordUndelivered({ id: 'm1', attempts: 2 }, 'status-500', at(11 * 3_600))
        expect(await store.outbox.claimDue(9, at(60))).toEqual([])
      })

      test('a held one is released once', async () => {
        await sell('a')
        const held = { ...announcement('m1'), state: 'held' as const }
        await store.checkouts.recordCompletion('a', completion({ announcement: held }))
        expect(await store.outbox.release('a')).toBe(true)
        expect(await store.outbox.release('a')).toBe(false)
        expect(await store.outbox.claimDue(9, at(60))).toMatchObject([{ id: 'm1', attempts: 1 }])
      })

      test('a resend starts again from the first attempt', async () => {
        await announced()
        await store.outbox.claimDue(9, at(60))
        await store.outbox.recordDelivered('m1')
        expect(await store.outbox.resend('a')).toBe('queued')
        expect(await store.outbox.claimDue(9, at(60))).toMatchObject([{ id: 'm1', attempts: 1 }])
        expect(await store.outbox.resend('nobody')).toBe('unknown')
      })

      test('a held one is sent only after a resend', async () => {
        await sell('a')
        const held = { ...announcement('m1'), state: 'held' as const }
        await store.checkouts.recordCompletion('a', completion({ announcement: held }))
        goTo(100_000)
        expect(await store.outbox.claimDue(9, at(200_000))).toEqual([])
        await store.outbox.resend('a')
        expect(await store.outbox.claimDue(9, at(200_000))).toHaveLength(1)
      })
    })

    describe('leases', () => {
      test('a lease has one holder, who may renew it, until it runs out or is released', async () => {
        const { leases } = store
        const both = await Promise.all([
          leases.acquire('sweep', 'me', at(60)),
          leases.acquire('sweep', 'you', at(60)),
        ])
        expect(both.filter(Boolean)).toHaveLength(1)
        const [first, second] = both[0] ? ['me', 'you'] : ['you', 'me']
        expect(await leases.acquire('sweep', first, at(70))).toBe(true)
        expect(await leases.acquire('sweep', second, at(70))).toBe(false)
        expect(await leases.acquire('other', second, at(70))).toBe(true)
        goTo(71)
        expect(await leases.acquire('sweep', second, at(100))).toBe(true)
        await leases.release('sweep', first)
        expect(await leases.acquire('sweep', first, at(100))).toBe(false)
        await leases.release('sweep', second)
        expect(await leases.acquire('sweep', first, at(100))).toBe(true)
      })

      test('a lease that would last longer than leases ever do is free', async () => {
        const { leases } = store
        expect(await leases.acquire('sweep', 'me', at(365 * 86_400))).toBe(true)
        expect(await leases.acquire('sweep', 'you', at(30))).toBe(true)
        expect(await leases.acquire('sweep', 'me', at(30))).toBe(false)
      })

      test('the cursor is kept for the next holder', async () => {
        const { leases } = store
        expect(await leases.readCursor('sweep')).toBeUndefined()
        await leases.writeCursor('sweep', 'as far as "ü"')
        await leases.acquire('sweep', 'me', at(60))
        await leases.release('sweep', 'me')
        await reopen()
        expect(await store.leases.readCursor('sweep')).toBe('as far as "ü"')
        expect(await store.leases.readCursor('other')).toBeUndefined()
      })
    })

    test('the store knows when it was created, also after a restart', async () => {
      expect(store.createdAt).toBe(at(0))
      goTo(500)
      await reopen()
      expect(store.createdAt).toBe(at(0))
    })
  })
}
