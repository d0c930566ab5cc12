import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'
import { signedTerms, verifySignature } from '../../src/links/signature.ts'
import { PRODUCTS } from '../service.ts'
import { type Run, run } from './run-command.ts'

export const SECRET = 'secret-of-the-command'
export const SHOP = 'https://buy.shop.example'
export const UUID = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'
const CATALOG = [
  ...PRODUCTS,
  { sku: 'C:1,2', name: 'Special characters', amount: 100 },
  { sku: 'a:2', name: 'Colon', amount: 100 },
]

/** A folder with a catalog, and the settings that name it. It is gone when the test is over. */
export async function linkFolder(): Promise<{ folder: string; env: Record<string, string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-link-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'catalog.json')
  await writeFile(path, JSON.stringify({ products: CATALOG }))
  return { folder, env: { PUBLIC_URL: SHOP, CATALOG_PATH: path } }
}

/** Runs the command with a catalog of its own, and `more` settings. */
export async function link(words: readonly string[], more: Record<string, string> = {}): Promise<Run> {
  const { env } = await linkFolder()
  return run('link', words, { env: { ...env, ...more } })
}

export const signing = { LINK_SIGNING_SECRET: `${SECRET},an-older-secret-16` }

/** What the printed link says, read as the service reads it. */
export function read(printed: string) {
  const url = new URL(printed.trim())
  const said = {
    items: parseItems(decodeURIComponent(url.pathname.slice('/buy/'.length))),
    parameters: readParameters(queryPairs(url.search)),
  }
  return { ...said, signature: verifySignature(said, [SECRET]), terms: signedTerms(said) }
}

export async function expectLink(words: readonly string[], path: string): Promise<void> {
  const { code, stdout, stderr } = await link(words)
  expect({ words, code, stdout }).toEqual({ words, code: 0, stdout: `${SHOP}${path}\n` })
  expect(stderr).toContain(
    `${SHOP.length + path.length} characters: fits everywhere, QR codes and print too.`,
  )
}

export async function expectUsage(
  words: readonly string[],
  message: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { code, stdout, stderr } = await link(words, env)
  expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain('npm run link -- SKU[:N]')
}
