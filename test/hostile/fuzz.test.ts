import fc from 'fast-check'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'
import { type Service, startService } from '../service.ts'
import { sendBytes } from './raw.ts'
import { body, EVIL, header, host, key, MARKER, method, oneLine, path, piece, query } from './requests.ts'

/** Requests of a fuzzer, of the one that opens sessions a quarter. fast-check prints the seed and the path of what it has found. */
const RUNS = counts(4_000, 400)
const TEST_MS = 120_000

async function shopToAttack(): Promise<Service> {
  return startService({ env: { RATE_LIMIT_MAX: '1000000', LINK_SIGNING_SECRET: 'secret of the fuzzer' } })
}

/** What no response may contain, whatever was sent. */
function expectHarmless(answer: string, status: number, what: string): void {
  const at = answer.indexOf('\r\n\r\n')
  const [head, page] = at === -1 ? [answer, ''] : [answer.slice(0, at), answer.slice(at + 4)]
  if (status >= 500) {
    // A prefetch is refused with a 503 by design; Dots has no faults in these tests.
    expect([what, status, /sec-purpose: prefetch/.test(what)]).toEqual([what, 503, true])
  }
  expect(`${what}\n${answer}`).not.toMatch(
    /\n\s+at .+\.[jt]s:\d+|node_modules|node:internal|SQLITE|ERR_|FST_/,
  )
  expect(`${what}\n${head}`.toLowerCase()).not.toMatch(/\r\nset-cookie: x=1/)
  expect(head).not.toContain(MARKER)
  expect(head.toLowerCase()).not.toContain(EVIL)
  expect(page).not.toContain('<script>alert')
  expect(page).not.toContain('<img src=x')
  expect(page).not.toContain(`<b>${MARKER}`)
  expectForeignHostAsTextOnly(page, what)
}

/**
 * A page repeats of a request two things, escaped: what the buyer chose as hidden fields of a form, and the link
 * itself as "try again". Neither leads to another host.
 */
function expectForeignHostAsTextOnly(page: string, what: string): void {
  for (const [, link = ''] of page.matchAll(/(?:href|src|action|content)="([^"]*)"/g)) {
    const target = URL.parse(link, 'http://localhost')
    expect([what, target?.host]).not.toEqual([what, EVIL])
  }
}

test('whatever is sent, no response is a 5xx, shows a stack, repeats the request unescaped, or leads to another host', {
  timeout: TEST_MS,
}, async () => {
  const shop = await shopToAttack()
  await fc.assert(
    fc.asyncProperty(
      method,
      path,
      query,
      host,
      fc.array(header, { maxLength: 5 }),
      body,
      async (...parts) => {
        const [verb, target, search, name, headers, form] = parts
        const content = Buffer.from(form?.text ?? '')
        const lines = [
          `${verb} ${target}${search} HTTP/1.1`,
          `host: ${name}`,
          ...headers,
          'connection: close',
          ...(form === undefined ? [] : [`content-type: ${form.type}`, `content-length: ${content.length}`]),
        ]
        const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
        const { text: answer, status } = await sendBytes(shop, Buffer.concat([head, content]), {
          timeoutMs: 3_000,
        })
        expectHarmless(answer, status, lines.join('\n'))
        // A CONNECT is disconnected; every other request gets a response.
        if (verb !== 'CONNECT') expect([lines.join('\n'), status]).not.toEqual([lines.join('\n'), 0])
      },
    ),
    { numRuns: RUNS },
  )
  expect(shop.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test('malformed HTTP is refused, and the service keeps working', { timeout: TEST_MS }, async () => {
  const shop = await shopToAttack()
  const start = fc.constantFrom(
    '',
    'GET ',
    'GET / HTTP/1.1\r\n',
    'POST /buy/tee HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
    '\u0016\u0003\u0001',
  )
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), async (head, bytes) => {
      const sent = Buffer.concat([Buffer.from(head, 'latin1'), bytes, Buffer.from('\r\n\r\n')])
      const { text: answer, status } = await sendBytes(shop, sent, { timeoutMs: 1_000, half: true })
      expect(status).toBeLessThan(500)
      expect(answer).not.toMatch(/\n\s+at |node_modules|node:internal/)
    }),
    { numRuns: RUNS },
  )
  expect((await shop.get('/healthz')).status).toBe(200)
})

test('a form is parsed like a query, whatever it contains', {
  timeout: TEST_MS,
}, async () => {
  const shop = await shopToAttack()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(key, piece), { maxLength: 8 }),
      fc.boolean(),
      async (pairs, asForm) => {
        const fields = pairs.map(([name, value]) => `${name}=${value}`).join('&')
        const answer = asForm
          ? await shop.get('/buy/tee', {
              method: 'POST',
              body: fields,
              headers: { 'content-type': 'application/x-www-form-urlencoded' },
            })
          : await shop.get(`/buy/tee?${oneLine(fields)}`)
        expect([fields, answer.status < 500]).toEqual([fields, true])
        const location = answer.headers.get('location')
        if (location !== null)
          expect([location.startsWith('/'), location.startsWith('http://localhost')]).toContain(true)
        if (location !== null) expect(new URL(location, shop.url).hostname).toBe('localhost')
        await answer.arrayBuffer()
      },
    ),
    { numRuns: RUNS / 4 },
  )
  expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
  for (const { asked } of shop.sandbox.sessions.values()) {
    expect(asked.success_url.startsWith(`${shop.url}/success?`)).toBe(true)
    expect(asked.line_items[0]?.price_data.amount).toBe(2500)
    expect(asked).not.toHaveProperty('customer_id')
  }
})
