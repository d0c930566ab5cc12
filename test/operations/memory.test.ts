import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { deploy } from './server-process.ts'

const [, CONTAINER_FLAGS = ''] =
  /^ENV NODE_OPTIONS="([^"]*)"$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
const COUNT = 100_000

/** Products of 430 bytes each, as JSON: 43 MB. */
function catalog(edition: string): string {
  const products = Array.from({ length: COUNT }, (_, n) => ({
    sku: `product-${n}`,
    name: `Product number ${n}, size M`,
    description: `A description as long as that of a real shop, ${edition}, number ${n}. `.repeat(3),
    images: [`https://shop.example/pictures/${n}/front.jpg`],
    amount: 1000 + (n % 9000),
    adjustable_quantity: { minimum: 1, maximum: 10 },
    metadata: { color: 'black', group: `g${n % 100}` },
  }))
  return JSON.stringify({ products })
}

test('the heap is bounded alike by `npm start` and in the container', () => {
  expect(CONTAINER_FLAGS).toMatch(/--max-old-space-size=\d+ --max-semi-space-size=\d+/)
  expect(packageJson.scripts.start).toContain(` ${CONTAINER_FLAGS} `)
  expect(packageJson.scripts.start).toMatch(/^exec node .* src\/server\.ts$/)
})

test.runIf(process.platform === 'linux')(
  'a catalog of 100,000 products is replaced by an entirely different one within 400 MB',
  async () => {
    const shop = await deploy()
    await writeFile(shop.catalogPath, catalog('edition 0'))
    const { child, log } = await shop.start({ NODE_OPTIONS: CONTAINER_FLAGS })
    for (const edition of ['edition 1', 'edition 2']) {
      await writeFile(`${shop.catalogPath}.new`, catalog(edition))
      await rename(`${shop.catalogPath}.new`, shop.catalogPath)
      const isReloaded = async () => (await (await shop.get('/products/product-7')).text()).includes(edition)
      await expect.poll(isReloaded, { timeout: 60_000, interval: 100 }).toBe(true)
    }
    expect(log().filter(({ level }) => level === 50)).toEqual([])
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    expect(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024).toBeLessThan(400)
  },
  180_000,
)
