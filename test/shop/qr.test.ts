import { inflateSync } from 'node:zlib'
import { correction, generate } from 'lean-qr'
import { expect, test } from 'vitest'
import { PRODUCTS, startService } from '../service.ts'

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const QUIET = 4
const SCALE = 10

test('the code of a product is its buy link, dark on light, with its quiet zone', async () => {
  const shop = await startService({ env: { PUBLIC_URL: 'https://buy.shop.example' } })
  const answer = await shop.get('/qr/tee.png')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png'])
  const dark = modulesOf(Buffer.from(await answer.arrayBuffer()))
  const code = generate('https://buy.shop.example/buy/tee', { minCorrectionLevel: correction.M })
  expect(dark.length).toBe(code.size + 2 * QUIET)
  const expected = dark.map((row, y) => row.map((_, x) => code.get(x - QUIET, y - QUIET)))
  expect(dark).toEqual(expected)
  expect(dark[0]?.some((module) => module)).toBe(false)
})

test('the SVG draws the same code', async () => {
  const shop = await startService({ env: { PUBLIC_URL: 'https://buy.shop.example' } })
  const answer = await shop.get('/qr/tee.svg')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/svg+xml; charset=utf-8'])
  const svg = await answer.text()
  const code = generate('https://buy.shop.example/buy/tee', { minCorrectionLevel: correction.M })
  const side = code.size + 2 * QUIET
  expect(svg).toContain(`viewBox="-${QUIET} -${QUIET} ${side} ${side}"`)
  const other = await (await shop.get('/qr/mug.svg')).text()
  expect(other).not.toBe(svg)
})

test('a code may be embedded on other sites and cached for five minutes', async () => {
  const shop = await startService()
  const { headers } = await shop.get('/qr/tee.svg')
  expect(headers.get('cache-control')).toBe('public, max-age=300')
  expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
})

test('every sku has a code, whatever its characters', async () => {
  const skus = ['a.png', 'a/b', 'C:1,2', 'Größe', '..']
  const shop = await startService({
    products: [...PRODUCTS, ...skus.map((sku) => ({ sku, name: sku, amount: 100 }))],
  })
  for (const sku of skus) {
    const token = `~${Buffer.from(sku).toString('base64url')}`
    expect(`${sku} ${(await shop.get(`/qr/${token}.svg`)).status}`).toBe(`${sku} 200`)
  }
  expect((await shop.get('/qr/a.png.png')).status).toBe(200)
})

test('an unknown product and another format have no code', async () => {
  const shop = await startService()
  for (const file of ['nothing.svg', 'tee.gif', 'tee', '.svg', 'nothing.png']) {
    expect(`${file} ${(await shop.get(`/qr/${file}`)).status}`).toBe(`${file} 404`)
  }
  expect(shop.sandbox.requests).toEqual([])
})

/** The modules of a code drawn as a PNG of `SCALE` pixels each: true where it is dark. */
function modulesOf(png: Buffer): boolean[][] {
  expect(png.subarray(0, 8)).toEqual(PNG_SIGNATURE)
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const name = png.toString('latin1', at + 4, at + 8)
    chunks.set(
      name,
      Buffer.concat([chunks.get(name) ?? Buffer.alloc(0), png.subarray(at + 8, at + 8 + length)]),
    )
    at += length + 12
  }
  const header = chunks.get('IHDR') ?? Buffer.alloc(13)
  const [width, height, depth, color] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8], header[9]]
  // What the library writes: one bit a pixel, each an index into a palette of two colours.
  expect([depth, color]).toEqual([1, 3])
  const palette = chunks.get('PLTE') ?? Buffer.alloc(0)
  const isDark = (index: number) => palette.readUIntBE(index * 3, 3) === 0x000000
  const lines = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0))
  const stride = 1 + Math.ceil(width / 8)
  return Array.from({ length: height / SCALE }, (_, y) =>
    Array.from({ length: width / SCALE }, (_, x) => {
      const line = y * SCALE * stride
      expect(lines[line]).toBe(0)
      const pixel = x * SCALE
      return isDark(((lines[line + 1 + (pixel >> 3)] ?? 0) >> (7 - (pixel & 7))) & 1)
    }),
  )
}
