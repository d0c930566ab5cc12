import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Service } from '../service.ts'
import { CREDENTIALS } from '../service.ts'

export interface Run {
  code: number | null
  stdout: string
  stderr: string
}

/** The settings under which a command works beside a running service. */
export function envOf(shop: Service, more: Record<string, string> = {}): Record<string, string> {
  const { fulfillment } = shop.app.config
  return {
    DOTS_CLIENT_ID: CREDENTIALS.clientId,
    DOTS_API_KEY: CREDENTIALS.apiKey,
    DOTS_API_URL: shop.sandbox.url,
    PUBLIC_URL: shop.url,
    CATALOG_PATH: shop.catalogPath,
    DATABASE_URL: `sqlite:${shop.databasePath}`,
    ...(fulfillment !== undefined && {
      FULFILLMENT_URL: fulfillment.url,
      FULFILLMENT_SECRET: fulfillment.secrets.join(','),
    }),
    ...more,
  }
}

/** Runs a command as a process of its own, in the shop's folder, with nothing else of this environment. */
export async function runCommand(
  shop: Service,
  name: 'orders' | 'reconcile',
  words: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Run> {
  const child = spawn(process.execPath, [resolve(`src/commands/${name}.ts`), ...words], {
    cwd: shop.folder,
    env: envOf(shop, more),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const run: Run = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text
  })
  await once(child, 'close')
  run.code = child.exitCode
  return run
}
