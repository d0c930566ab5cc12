import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { run, runBeside } from '../commands/run-command.ts'
import { readTags } from '../pages/markup.ts'
import { startService } from '../service.ts'

const GUIDE = readFileSync('docs/links.md', 'utf8')
const [, ADDED = ''] = /```json\n(\{[\s\S]*?)```/.exec(GUIDE) ?? []
/** The sample catalog with the product that the guide adds to it. */
const SAMPLE = {
  products: [...JSON.parse(readFileSync('catalog.json', 'utf8')).products, JSON.parse(ADDED)],
}
/** What the guide calls the shop. */
const SHOP = 'https://buy.example.com'

const examples = [...GUIDE.matchAll(/^ {4,}(https:\/\/buy\.example\.com.*)$/gm)].map(([, link = '']) =>
  link.trim(),
)
const commands = [...GUIDE.matchAll(/^ {4}npm run link -- (.*)$/gm)].map(([, words = '']) => words)

/** What each kind of example comes to, by its path. */
function expected(path: string): number[] {
  if (!path.startsWith('/buy/')) return [200]
  if (path.startsWith('/buy/print-lighthouse')) return [200]
  return path.includes(':') ? [303] : [302]
}

test('every example link of the guide does what it says', async () => {
  expect(examples.length).toBeGreaterThan(14)
  const shop = await startService({ products: SAMPLE.products })
  for (const example of examples) {
    const filled = example.replace('*|EMAIL|*', 'jane@example.com').replace('{{ email }}', 'jane@example.com')
    const path = filled.slice(SHOP.length)
    const answer = await shop.get(path)
    expect(expected(path), example).toContain(answer.status)
    if (filled.includes('email=')) expect(lastAsked(shop).customer_email).toBe('jane@example.com')
    if (filled.includes('client_reference_id')) expect(lastAsked(shop).client_reference_id).toBe('order-1042')
    if (filled.includes('metadata_')) expect(lastAsked(shop).metadata?.gift).toBe('yes')
    if (filled.includes('continue_to')) expect(answer.headers.get('location')).toBe('/products/mug-stoneware')
  }
})

test('an example whose placeholder was not filled in still sells, without an email', async () => {
  const shop = await startService({ products: SAMPLE.products })
  const withPlaceholder = examples.filter((example) => /\*\||\{\{/.test(example))
  expect(withPlaceholder).toHaveLength(2)
  for (const example of withPlaceholder) {
    const path = encodeURI(example.slice(SHOP.length))
    expect((await shop.get(path)).status).toBe(302)
    expect(lastAsked(shop)).not.toHaveProperty('customer_email')
  }
})

test('every markup example of the guide leads to the shop', async () => {
  const shop = await startService({ products: SAMPLE.products })
  const markup = [...GUIDE.matchAll(/```html\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  const targets = markup.flatMap((text) =>
    readTags(text).flatMap(({ attributes: { href, action, src } }) => href ?? action ?? src ?? []),
  )
  expect(targets).toHaveLength(3)
  for (const target of targets)
    expect([200, 302]).toContain((await shop.get(target.slice(SHOP.length))).status)
  expect((await shop.get('/buy/tee-black-m?quantity=3')).status).toBe(302)
  expect(sessionsOf(shop).at(-1)?.asked.line_items[0]?.quantity).toBe(3)
})

test('every command of the guide runs', async () => {
  expect(commands.length).toBeGreaterThan(6)
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-guide-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const CATALOG_PATH = join(folder, 'catalog.json')
  await writeFile(CATALOG_PATH, JSON.stringify(SAMPLE))
  const env = { CATALOG_PATH, PUBLIC_URL: SHOP, LINK_SIGNING_SECRET: 'secret-of-the-guide' }
  for (const command of commands) {
    const words = command.split(' ').map((word) => (/\.(?:svg|png)$/.test(word) ? join(folder, word) : word))
    const { code, stdout } = await run('link', words, { env })
    expect(`${command}: ${code}`).toBe(`${command}: 0`)
    expect(stdout).toMatch(/^[\s\S]*https:\/\/buy\.example\.com\/buy\/(?:tee-black-m|cap-blue)/)
  }
})

test('every list of sales in the guide is printed', async () => {
  const shop = await startService({ products: SAMPLE.products })
  await shop.get('/buy/cap-blue')
  const lists = [...GUIDE.matchAll(/^ {4}npm run orders(?: -- (.*))?$/gm)].map(([, words = '']) => words)
  expect(lists.length).toBeGreaterThan(4)
  for (const list of lists) {
    const words = list
      .split(' ')
      .filter(Boolean)
      .map((word) => (word.endsWith('.csv') ? join(shop.folder, word) : word))
    expect(`${list}: ${(await runBeside(shop, 'orders', words)).code}`).toBe(`${list}: 0`)
  }
})
