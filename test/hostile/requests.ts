import fc from 'fast-check'

/** Part of everything in every request: where a response repeats it, it has to be escaped. */
export const MARKER = 'mArKeR7'
/** A host that no response may lead to. */
export const EVIL = 'evil.example'

const nasty = fc.constantFrom(
  '',
  '..',
  '.',
  '/',
  '//',
  '\\',
  '%2f',
  '%2F..%2f',
  '/..%2f..%2fetc/passwd',
  '%5c',
  '%00',
  '%0d%0aset-cookie:%20x=1',
  '%E0%A4%A',
  '%zz',
  '%',
  '%25',
  '%ff',
  '%F0%9F%98%80',
  '\u00e9',
  '\u0001',
  '\u007f',
  '<script>alert(1)</script>',
  '"><img src=x>',
  "' or 1=1 --",
  '#{7*7}',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'tee',
  'tee:1',
  'tee:0',
  'tee:99999999999999999999',
  'tee:1,tee:1',
  '~dGVl',
  '~____',
  'lamp',
  `//${EVIL}`,
  `https://${EVIL}/`,
  `/\\${EVIL}`,
  'javascript:alert(1)',
  MARKER,
  `<b>${MARKER}</b>`,
  'x'.repeat(300),
)
const text = fc.oneof(nasty, fc.string({ maxLength: 30, unit: 'binary' }).map(encodeURIComponentSafely))
export const piece = fc.oneof({ weight: 3, arbitrary: nasty }, { weight: 1, arbitrary: text })
const place = fc.constantFrom(
  '/',
  '/buy',
  '/buy/',
  '/buy/tee',
  '/success',
  '/cancel',
  '/products/tee',
  '/qr/tee.svg',
  '/qr/',
  '/.well-known/ucp',
  '/healthz',
  '/readyz',
  '/robots.txt',
  '/webhooks/dots',
  '/admin',
  '/metrics',
  '/assets/',
  '//',
  '*',
  '/malformed-url',
)
export const path = fc
  .tuple(place, fc.array(piece, { maxLength: 3 }))
  .map(([start, more]) => oneLine(start + (more.length > 0 ? `/${more.join('/')}` : '')))
export const key = fc.oneof(
  fc.constantFrom(
    'quantity',
    'qty',
    'email',
    'buyer/email',
    'client_reference_id',
    'continue_to',
    'checkout',
    'look',
    'metadata_x',
    'metadata[__proto__]',
    'checkout[custom][constructor]',
    'attribution/utm_source',
    'utm_source',
    'success_url',
    'amount',
    'currency',
    'customer_id',
    'sig',
    'expires',
    'uses',
    '__proto__',
    'line_items/0/quantity',
    `metadata_${MARKER}`,
  ),
  piece,
)
export const query = fc
  .array(fc.tuple(key, piece), { maxLength: 6 })
  .map((pairs) =>
    pairs.length === 0 ? '' : oneLine(`?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`),
  )
export const method = fc.constantFrom(
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'CONNECT',
  'get',
  'BREW',
)
export const header = fc.oneof(
  fc.constantFrom(
    `x-forwarded-host: ${EVIL}`,
    `x-forwarded-proto: javascript`,
    `x-forwarded-for: ${MARKER}`,
    `forwarded: host=${EVIL};proto=https`,
    `x-original-url: /admin`,
    `x-rewrite-url: /admin`,
    `x-http-method-override: DELETE`,
    'accept: application/json',
    'accept: text/html',
    'accept: ,;q=x',
    `accept-language: ${MARKER},en-${'x'.repeat(50)};q=9`,
    'accept-language: zz-ZZ-u-nu-latn-x-,*;q=0.1',
    'if-none-match: *',
    'if-modified-since: never',
    'range: bytes=0-1,5-2',
    'sec-fetch-dest: image',
    'sec-purpose: prefetch',
    `user-agent: <script>${MARKER}`,
    `cookie: buyer=${MARKER}; __Host-buyer=%00; buyer; =;;`,
    'cookie: __proto__=x; buyer=AAAAAAAAAAAAAAAAAAAAAA',
    `referer: https://${EVIL}/${MARKER}`,
    `origin: https://${EVIL}`,
    'authorization: Basic Og==',
    'authorization: Bearer x',
    'expect: 100-continue',
    'upgrade: websocket',
    'connection: upgrade, keep-alive',
    'te: trailers',
    'svix-id: x',
    'content-encoding: gzip',
  ),
  fc
    .tuple(fc.constantFrom('x-a', 'accept', 'cookie', 'accept-language', 'user-agent', 'range'), piece)
    .map(([name, value]) => oneLine(`${name}: ${value}`)),
)
export const host = fc.constantFrom(
  'localhost',
  EVIL,
  `${EVIL}:80`,
  'localhost@evil.example',
  '[::1]',
  MARKER,
  '',
  'a b',
)
export const body = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'application/x-www-form-urlencoded',
        'application/x-www-form-urlencoded; charset=utf-7',
        'application/json',
        'multipart/form-data; boundary=x',
        'text/plain',
        'text/xml',
        '',
        ';',
        `${MARKER}/x`,
      ),
      text: fc.oneof(
        fc
          .array(fc.tuple(key, piece), { maxLength: 5 })
          .map((pairs) => pairs.map(([a, b]) => `${a}=${b}`).join('&')),
        fc.constantFrom(
          '{"__proto__":{"a":1}}',
          '{',
          '[]',
          'null',
          '\u0000',
          'x'.repeat(20_000),
          `<x>${MARKER}</x>`,
        ),
      ),
    }),
  },
)

function encodeURIComponentSafely(raw: string): string {
  return encodeURIComponent(raw.toWellFormed())
}

/** For one line of a request. What would end the line early is another attack, and has its own test. */
export function oneLine(raw: string): string {
  return raw.replace(/[\r\n ]/g, '+')
}
