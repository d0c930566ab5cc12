import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clickValues } from '../../src/store/checkout.ts'
import type { Store } from '../../src/store/open-store.ts'
import { completion, EARLY, NEW_CHECKOUT, type StoreUnderTest } from './store.ts'

/** What a store has to do for sessions that are made ahead of their clicks. */
export function warmContract(
  name: string,
  open: (options: { now: () => Date }) => Promise<StoreUnderTest>,
): void {
  describe(`${name} has sessions made ahead:`, () => {
    const KEY = { browserId: 'browser-1', purchaseHash: 'cart-1' }
    let clock = EARLY
    let store: Store

    beforeEach(async () => {
      clock = EARLY
      ;({ store } = await open({ now: () => clock }))
    })
    afterEach(() => store.close())

    const at = (seconds: number) => new Date(EARLY.getTime() + seconds * 1000).toISOString()
    const add = (id: string, offer = 'offer-1', usableUntil = at(300)) =>
      store.warm.add({
        id,
        sku: 'tee',
        offer,
        sessionId: `session-${id}`,
        paymentIntentId: null,
        checkoutUrl: `https://pay.example/${id}`,
        createdAt: at(0),
        usableUntil,
        expiresAt: at(600),
      })
    const handOut = (offer = 'offer-1', mayHaveOne = false) => {
      const { id: _id, ...checkout } = NEW_CHECKOUT
      return store.warm.handOut(
        offer,
        clickValues({ ...checkout, ...KEY, createdAt: at(1) }),
        mayHaveOne ? KEY : undefined,
      )
    }

    test('each is handed out once, and becomes an open checkout', async () => {
      for (const id of ['a', 'b', 'c']) await add(id)
      const handed = await Promise.all(Array.from({ length: 5 }, () => handOut()))
      const ids = handed.flatMap((one) => one?.taken?.id ?? [])
      expect(ids.sort()).toEqual(['a', 'b', 'c'])
      expect(await store.checkouts.find('a')).toMatchObject({
        state: 'open',
        sessionId: 'session-a',
        checkoutUrl: 'https://pay.example/a',
        createdAt: at(1),
        expiresAt: at(600),
        browserId: 'browser-1',
      })
      expect(await store.warm.isEmpty()).toBe(true)
    })

    test('only one of the same offer, in the first half of its life, is handed out', async () => {
      await add('a', 'offer-2')
      await add('b', 'offer-1', at(10))
      expect((await store.warm.stock()).map(({ offer, count }) => [offer, count]).sort()).toEqual([
        ['offer-1', 1],
        ['offer-2', 1],
      ])
      clock = new Date(at(11))
      expect(await handOut()).toBeUndefined()
      expect(await store.warm.stock()).toEqual([{ sku: 'tee', offer: 'offer-2', count: 1 }])
      clock = new Date(at(-120))
      expect(await handOut('offer-2')).toBeUndefined()
    })

    test("a browser's own live checkout comes first", async () => {
      await add('a')
      await add('b')
      expect(await handOut()).toMatchObject({ taken: { id: 'a' } })
      expect(await handOut('offer-1', true)).toMatchObject({ reused: { id: 'a' } })
      expect(await store.warm.stock()).toMatchObject([{ count: 1 }])
    })

    test('one whose checkout is known already is given to nobody', async () => {
      await store.checkouts.recordRestored({ ...NEW_CHECKOUT, id: 'a' }, at(0))
      await store.checkouts.recordCompletion('a', completion())
      await add('a')
      expect(await handOut()).toBeUndefined()
      await add('a')
      await add('b')
      expect(await handOut()).toMatchObject({ taken: { id: 'b' } })
      expect(await store.checkouts.find('a')).toMatchObject({ state: 'complete', sessionId: 'session-2' })
    })

    test('some of an offer are thrown away, and those that have expired', async () => {
      for (const id of ['a', 'b', 'c']) await add(id)
      await add('d', 'offer-2')
      expect(await store.warm.discard('offer-1', 2)).toBe(2)
      await store.warm.remove('d')
      expect(await store.warm.prune()).toBe(0)
      clock = new Date(at(601))
      expect(await store.warm.prune()).toBe(1)
      expect(await store.warm.isEmpty()).toBe(true)
    })

    test('clicks are counted by the minute, and forgotten', async () => {
      await store.warm.addClicks(
        [
          ['tee', 2],
          ['mug', 1],
        ],
        at(-600),
      )
      await store.warm.addClicks([['tee', 3]], at(-600))
      clock = new Date(at(60))
      await store.warm.addClicks([['tee', 1]], at(-540))
      expect(new Map(await store.warm.clicksSince(at(-540)))).toEqual(
        new Map([
          ['tee', 6],
          ['mug', 1],
        ]),
      )
      expect(new Map(await store.warm.clicksSince(at(60)))).toEqual(new Map([['tee', 1]]))
      clock = new Date(at(700))
      await store.warm.addClicks([['mug', 1]], at(120))
      expect(new Map(await store.warm.clicksSince(at(-600)))).toEqual(new Map([['mug', 1]]))
    })
  })
}
