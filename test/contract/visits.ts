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

    function click(id: string, key = KEY) {
      return store.checkouts.reserve({ ...NEW_CHECKOUT, id }, key)
    }

    function openUntil(id: string, seconds: number, sessionId: string | undefined = `session-${id}`) {
      return store.checkouts.recordOpen(id, {
        sessionId,
        paymentIntentId: undefined,
        checkoutUrl: 'https://pay.example/c',
        expiresAt: at(seconds),
      })
    }

    test('a second click finds the checkout that is being created, and writes nothing', async () => {
      expect(await click('a')).toBeUndefined()
      expect(await click('b')).toMatchObject({ id: 'a', state: 'creating' })
      expect(await store.checkouts.find('b')).toBeUndefined()
    })

    test('a second click finds the open checkout while it has a minute left', async () => {
      await click('a')
      await openUntil('a', 600)
      clock = new Date(at(530))
      expect(await click('b')).toMatchObject({ id: 'a', state: 'open' })
      clock = new Date(at(541))
      expect(await click('c')).toBeUndefined()
    })

    test('a second click finds the checkout of the last 15 minutes', async () => {
      await click('a')
      await openUntil('a', 10_000)
      clock = new Date(at(15 * 60 - 1))
      expect(await click('b')).toMatchObject({ id: 'a', state: 'open' })
      clock = new Date(at(15 * 60))
      expect(await click('c')).toBeUndefined()
    })

    test.each([false, true])('a checkout from far in the future is not reused (open: %s)', async (isOpen) => {
      await click('a')
      if (isOpen) await openUntil('a', 10_000)
      clock = new Date(at(-59))
      expect(await click('b')).toMatchObject({ id: 'a' })
      clock = new Date(at(-60))
      expect(await click('c')).toBeUndefined()
    })

    test('a second click finds a short checkout for the first half of its life', async () => {
      await click('a')
      await openUntil('a', 60)
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
      await openUntil('a', 600)
      expect(await click('b', key)).toBeUndefined()
    })

    test('a checkout that is paid, expired, failed or was left in creation is not reused', async () => {
      await click('paid')
      await store.checkouts.recordCompletion('paid', completion())
      expect(await click('ended')).toBeUndefined()
      await store.checkouts.recordExpiry('ended')
      expect(await click('failed')).toBeUndefined()
      await store.checkouts.recordFailed('failed', 'why')
      expect(await click('left')).toBeUndefined()
      clock = new Date(at(11))
      expect(await click('next')).toBeUndefined()
    })

    test('of many clicks at once exactly one writes', async () => {
      const found = await Promise.all(Array.from({ length: 8 }, (_, n) => click(`click-${n}`)))
      expect(found.filter((checkout) => checkout === undefined)).toHaveLength(1)
      expect(new Set(found.map((checkout) => checkout?.id).filter(Boolean)).size).toBe(1)
    })

    test('an open checkout without a session id is unresolved until it gets one', async () => {
      await click('a')
      await openUntil('a', 600, '')
      await store.checkouts.recordExpiry('a')
      await click('b')
      await store.checkouts.recordOpen('b', {
        sessionId: undefined,
        paymentIntentId: undefined,
        checkoutUrl: 'https://pay.example/c',
        expiresAt: at(600),
      })
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
      await click('a')
      await store.checkouts.recordOpen('a', {
        sessionId: undefined,
        paymentIntentId: undefined,
        checkoutUrl: undefined,
        expiresAt: at(600),
      })
      clock = new Date(at(700))
      expect(await store.checkouts.markLookedFor(at(0), at(600))).toBe(0)
      expect(await store.checkouts.markLookedFor(at(0), at(601))).toBe(1)
      expect(await store.checkouts.unresolved(at(1), 10)).toEqual([])
    })

    test('the session that the buyer was sent to replaces one that was found', async () => {
      await click('a')
      await openUntil('a', 600, 'found')
      expect(await openUntil('a', 700, 'sent-to')).toBe('recorded')
      expect(await store.checkouts.find('a')).toMatchObject({ sessionId: 'sent-to', expiresAt: at(700) })
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
        await store.checkouts.reserve({ ...NEW_CHECKOUT, id, linkId: id === 'c' ? 'other' : 'link' })
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
