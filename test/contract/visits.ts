import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/open-store.ts'
import { completion, EARLY, NEW_CHECKOUT, type StoreUnderTest } from './store.ts'

/** What a store has to do for visitors: second clicks, signed links, saved carts. */
export function visitsContract(
  name: string,
  open: (options: { now: () => Date }) => Promise<StoreUnderTest>,
): void {
  describe(`${name} handles visitors:`, () => {
    const KEY = { browserId: 'browser-1', purchaseHash: 'cart-1' }
    let clock = EARLY
    let store: Store

    beforeEach(async () => {
      clock = EARLY
      ;({ store } = await open({ now: () => clock }))
    })
    afterEach(() => store.close())

    function at(seconds: number): string {
      return new Date(EARLY.getTime() + seconds * 1000).toISOString()
    }

    /** A click that opens a session, unless a second look finds one. */
    async function click(id: string, key = KEY, seconds = 600) {
      const live = await store.checkouts.findReusable(key)
      if (live === undefined) await opened(id, seconds, `session-${id}`, key)
      return live
    }

    function opened(id: string, seconds: number, sessionId: string | undefined, key = KEY) {
      const session = { sessionId, checkoutUrl: 'https://pay.example/c', expiresAt: at(seconds) }
      return store.checkouts.recordOpened({ ...NEW_CHECKOUT, id, ...key }, session, clock.toISOString())
    }

    test('a second click finds the open checkout while it has a minute left', async () => {
      await click('a')
      clock = new Date(at(530))
      expect(await click('b')).toMatchObject({ id: 'a', state: 'open' })
      clock = new Date(at(541))
      expect(await click('c')).toBeUndefined()
    })

    test('a second click finds the checkout of the last 15 minutes', async () => {
      await click('a', KEY, 10_000)
      clock = new Date(at(15 * 60 - 1))
      expect(await click('b')).toMatchObject({ id: 'a', state: 'open' })
      clock = new Date(at(15 * 60))
      expect(await click('c')).toBeUndefined()
    })

    test('a checkout from far in the future is not reused', async () => {
      await click('a', KEY, 10_000)
      clock = new Date(at(-59))
      expect(await click('b')).toMatchObject({ id: 'a' })
      clock = new Date(at(-60))
      expect(await click('c')).toBeUndefined()
    })

    test('a second click finds a short checkout for the first half of its life', async () => {
      await click('a', KEY, 60)
      clock = new Date(at(29))
      expect(await click('b')).toMatchObject({ id: 'a', state: 'open' })
      clock = new Date(at(31))
      expect(await click('c')).toBeUndefined()
    })

    test.each([
      ['another browser', { ...KEY, browserId: 'browser-2' }],
      ['another cart', { ...KEY, purchaseHash: 'cart-2' }],
    ])('%s has a checkout of its own', async (_what, key) => {
      await click('a')
      expect(await click('b', key)).toBeUndefined()
    })

    test('a checkout that is paid, expired, failed, unknown or was left in creation is not reused', async () => {
      const { checkouts } = store
      await click('paid')
      await checkouts.recordCompletion('paid', completion())
      expect(await click('ended')).toBeUndefined()
      await checkouts.recordExpiry('ended')
      for (const state of ['failed', 'unknown'] as const) {
        await checkouts.recordUnopened(
          { ...NEW_CHECKOUT, id: state, ...KEY },
          { state, reason: 'why' },
          at(0),
        )
      }
      await checkouts.recordRestored({ ...NEW_CHECKOUT, id: 'left', ...KEY }, at(0))
      expect(await click('next')).toBeUndefined()
    })

    test('an open checkout without a session id is unresolved until it gets one', async () => {
      await opened('a', 600, '')
      await store.checkouts.recordExpiry('a')
      await opened('b', 600, undefined)
      expect((await store.checkouts.unresolved(at(1), 10)).map(({ id }) => id)).toEqual(['b'])
      const found = (sessionId: string) =>
        store.checkouts.recordFound('b', {
          sessionId,
          paymentIntentId: undefined,
          checkoutUrl: 'https://pay.example/c',
          expiresAt: at(700),
        })
      expect(await found('session-b')).toBe('recorded')
      expect(await found('another')).toBe('superseded')
      expect(await store.checkouts.find('b')).toMatchObject({ sessionId: 'session-b', state: 'open' })
      expect(await store.checkouts.unresolved(at(1), 10)).toEqual([])
    })

    test('an open checkout without a session id is no longer unresolved once it was checked', async () => {
      await opened('a', 600, undefined)
      clock = new Date(at(700))
      expect(await store.checkouts.markLookedFor(at(0), at(600))).toBe(0)
      expect(await store.checkouts.markLookedFor(at(0), at(601))).toBe(1)
      expect(await store.checkouts.unresolved(at(1), 10)).toEqual([])
    })

    test('a flag is set once, beside the others', async () => {
      await click('a')
      await store.checkouts.recordCompletion('a', completion({ amountMismatch: true }))
      expect(await store.checkouts.recordFlag('a', 'paid-twice')).toBe(true)
      expect(await store.checkouts.recordFlag('a', 'paid-twice')).toBe(false)
      expect(await store.checkouts.recordFlag('nobody', 'paid-twice')).toBe(false)
      expect(await store.checkouts.find('a')).toMatchObject({ flags: ['amount-mismatch', 'paid-twice'] })
    })

    test('a restored checkout remembers that its announcement is held', async () => {
      const { checkouts } = store
      expect(await checkouts.recordRestored({ ...NEW_CHECKOUT, id: 'held' }, at(-9), true)).toBe(true)
      expect(await checkouts.recordRestored({ ...NEW_CHECKOUT, id: 'held' }, at(-9), false)).toBe(false)
      expect(await checkouts.recordRestored({ ...NEW_CHECKOUT, id: 'free' }, at(-9))).toBe(true)
      expect(await checkouts.find('held')).toMatchObject({ isHeld: true, createdAt: at(-9) })
      expect(await checkouts.find('free')).toMatchObject({ isHeld: false })
    })

    test('only completed sales of a signed link are counted', async () => {
      for (const id of ['a', 'b', 'c']) {
        await store.checkouts.recordRestored(
          { ...NEW_CHECKOUT, id, linkId: id === 'c' ? 'other' : 'link' },
          at(0),
        )
      }
      await store.checkouts.recordCompletion('a', completion())
      await store.checkouts.recordCompletion('c', completion())
      expect(await store.checkouts.countLinkSales('link')).toBe(1)
      expect(await store.checkouts.countLinkSales('other')).toBe(1)
      expect(await store.checkouts.countLinkSales('nobody')).toBe(0)
    })

    test('a cart is saved for its browser, replaced by the next, and removed', async () => {
      const fields = [
        ['buyer/email', 'jane+shop@example.com'],
        ['metadata_x', '"<é\n'],
      ] as const
      await store.savedCarts.save('browser-1', { items: 'tee:1', fields: [] }, [{ sku: 'tee', quantity: 1 }])
      await store.savedCarts.save('browser-1', { items: 'tee:2,mug:1', fields }, [])
      expect(await store.savedCarts.find('browser-1', at(-1))).toEqual({ items: 'tee:2,mug:1', fields })
      expect(await store.savedCarts.find('browser-2', at(-1))).toBeUndefined()
      await store.savedCarts.remove('browser-1')
      expect(await store.savedCarts.find('browser-1', at(-1))).toBeUndefined()
    })

    test('an old cart is not found, and is deleted', async () => {
      await store.savedCarts.save('browser-1', { items: 'tee:1', fields: [] }, [{ sku: 'tee', quantity: 1 }])
      expect(await store.savedCarts.find('browser-1', at(0))).toBeUndefined()
      expect(await store.savedCarts.prune(at(1))).toBe(1)
      expect(await store.savedCarts.find('browser-1', at(-1))).toBeUndefined()
    })
  })
}
