import { expect, test } from 'vitest'
import { click, sessionsOf } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { sendBytes } from './raw.ts'

test.each(['foo', '200-ok', ''])(
  'a request that expects %j gets the usual response, with every header',
  async (expectation) => {
    const shop = await startService()
    const { checkoutId } = await click(shop)
    for (const [path, status] of [
      ['/buy/tee', 302],
      ['/buy/nope', 404],
      [`/success?checkout=${checkoutId}`, 200],
      [`/cancel?checkout=${checkoutId}`, 200],
    ] as const) {
      const bytes = `GET ${path} HTTP/1.1\r\nhost: x\r\nexpect: ${expectation}\r\nconnection: close\r\n\r\n`
      const answer = await sendBytes(shop, bytes)
      expect([path, answer.status]).toEqual([path, status])
      for (const header of [
        'cache-control: no-store',
        'referrer-policy: no-referrer',
        'x-robots-tag: noindex',
        'x-content-type-options: nosniff',
      ])
        expect(answer.text.toLowerCase()).toContain(`${header}\r\n`)
    }
    expect(sessionsOf(shop)).toHaveLength(2)
  },
)
