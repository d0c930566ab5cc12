import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { readParameters } from '../../src/links/parameters.ts'
import { signedTerms, verifySignature } from '../../src/links/signature.ts'
import { PRODUCTS } from '../service.ts'

export const COMMAND = resolve('src/commands/link.ts')
export const SECRET = 'command-secret'
export const SHOP = 'https://buy.shop.example'
export const UUID = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'
export const CATALOG = [
  ...PRODUCTS,
  { sku: 'C:1,2', name: 'Signs', amount: 100 },
  { sku: 'a:2', name: 'Colon', amount: 100 },
]

export interface Run {
  code: number | null
  out: string
  err: string
  folder: string
}

/** Runs the command as `npm run link -- …` does, in a folder with a catalog of its own and no other setting. */
export async function link(words: string[], env: Record<string, string> = {}): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-link-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'catalog.json'), JSON.stringify({ products: CATALOG }))
  const child = spawn(process.execPath, [COMMAND, ...words], {
    cwd: folder,
    env: { PUBLIC_URL: SHOP, ...env },
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const { promise, resolve: end } = Promise.withResolvers<number | null>()
  child.once('close', end)
  return { code: await promise, out, err, folder }
}

/** Each run is a process of its own, which takes half a second, and more on a busy machine. */
export const MANY_RUNS_MS = 60_000

export const signing = { LINK_SIGNING_SECRET: `${SECRET},older-secret` }

/** What the printed link says, read as the service reads it. */
export function read(printed: string) {
  const url = new URL(printed.trim())
  const said = {
    items: parseItems(decodeURIComponent(url.pathname.slice('/buy/'.length))),
    parameters: readParameters(url.search),
  }
  return { ...said, signature: verifySignature(said, [SECRET]), terms: signedTerms(said) }
}

export async function expectLink(words: string[], path: string): Promise<void> {
  const { code, out, err } = await link(words)
  expect({ words, code, out }).toEqual({ words, code: 0, out: `${SHOP}${path}\n` })
  expect(err).toContain(`${SHOP.length + path.length} octets: fits everywhere, QR codes and print too.`)
}

export async function expectUsage(
  words: string[],
  message: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { code, out, err } = await link(words, env)
  expect({ words, code, out }).toEqual({ words, code: 2, out: '' })
  expect(err).toContain(message)
  expect(err).toContain('npm run link -- SKU[:N]')
}
