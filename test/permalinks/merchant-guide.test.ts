import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { run } from '../commands/run-command.ts'
import { readTags } from '../pages/markup.ts'
import { startService } from '../service.ts'

const GUIDE = readFileSync('docs/links.md', 'utf8')
const SAMPLE = JSON.parse(readFileSync('catalog.json', 'utf8'))
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
  const env = {
    CATALOG_PATH: resolve('catalog.json'),
    PUBLIC_URL: SHOP,
    LINK_SIGNING_SECRET: 'secret-of-the-guide',
  }
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-guide-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const command of commands) {
    const words = command.split(' ').map((word) => (/\.(?:svg|png)$/.test(word) ? join(folder, word) : word))
    const { code, stdout } = await run('link', words, { env })
    expect(`${command}: ${code}`).toBe(`${command}: 0`)
    expect(stdout).toContain(`${SHOP}/buy/tee-black-m`)
  }
})
