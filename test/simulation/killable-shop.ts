import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished, vi } from 'vitest'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import type { SandboxSession } from '../../src/sandbox/sessions.ts'
import { makeFolder, runServer, type ServerProcess } from '../operations/server-process.ts'
import { CREDENTIALS, freePort, PRODUCTS } from '../service.ts'

/** Svix's schedule, with seconds in place of its minutes and hours. */
const RETRY_AFTER_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]
/** A killed server does not answer until it has started again. */
const MAX_WAIT_MS = 30_000
const POLL_MS = 50

/** The service as a process that a test may kill, with its sandbox. All is gone when the test is over. */
export async function openShop(more: Record<string, string>) {
  const folder = await makeFolder()
  const sandbox = await startSandbox({
    ...CREDENTIALS,
    retryAfterMs: RETRY_AFTER_MS,
    recordRequests: false,
  })
  onTestFinished(() => sandbox.close())
  const port = await freePort()
  const url = `http://localhost:${port}`
  const databasePath = join(folder, 'buy-links.db')
  const catalogPath = join(folder, 'catalog.json')
  await writeFile(catalogPath, JSON.stringify({ products: PRODUCTS }))
  const env = {
    DOTS_CLIENT_ID: CREDENTIALS.clientId,
    DOTS_API_KEY: CREDENTIALS.apiKey,
    DOTS_API_URL: sandbox.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: url,
    CATALOG_PATH: catalogPath,
    DATABASE_URL: `sqlite:${databasePath}`,
    RATE_LIMIT_MAX: '1000000',
    LOG_LEVEL: 'warn',
    ...more,
  }
  let server = await start()

  async function start(): Promise<ServerProcess> {
    const started = runServer(env, folder)
    await vi.waitUntil(() => isUp(url), { timeout: MAX_WAIT_MS, interval: POLL_MS })
    return started
  }

  async function request(path: string): Promise<Response> {
    const end = performance.now() + MAX_WAIT_MS
    for (;;) {
      const answer = await fetch(url + path, { redirect: 'manual' }).catch(() => undefined)
      await answer?.arrayBuffer().catch(() => undefined)
      if (answer !== undefined && answer.status < 500) return answer
      if (performance.now() > end)
        throw new Error(`${path} did not answer:\n${server.output().slice(-2_000)}`)
      await sleep(POLL_MS)
    }
  }

  function query(text: string, ...values: string[]): Record<string, unknown>[] {
    const database = new DatabaseSync(databasePath, { readOnly: true, timeout: 5_000 })
    try {
      return database.prepare(text).all(...values)
    } finally {
      database.close()
    }
  }

  return {
    url,
    sandbox,
    /** Clicks until there is a checkout, as a buyer does who gets an error. */
    async click() {
      const answer = await request('/buy/tee')
      const location = answer.headers.get('location') ?? ''
      const session = sandbox.sessions.get(location.split('/').at(-1) ?? '')
      if (session === undefined) throw new Error(`the click led to ${answer.status} ${location}`)
      return session
    },
    /** The buyer's browser follows the session's success URL. */
    async comeBack({ success_url }: SandboxSession) {
      await request(success_url.slice(url.length))
    },
    /** Kills the process and starts the next one. */
    async killAndRestart() {
      server.child.kill('SIGKILL')
      await server.ended
      server = await start()
    },
    /** Ids of the complete checkouts, sorted, as another process reads them. */
    completed: () =>
      query("select id from checkouts where state = 'complete' order by id").map(({ id }) => String(id)),
    /** How many sales of a product the store has counted. */
    salesOf: (sku: string) =>
      Number(query('select count(*) as sales from sales where sku = ?', sku)[0]?.sales),
    async npmRun(...words: string[]) {
      const { PATH = '', HOME = '' } = process.env
      const child = spawn('npm', ['run', '--silent', ...words], { env: { PATH, HOME, ...env } })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      await once(child, 'close')
      return { code: child.exitCode, output }
    },
  }
}

async function isUp(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/healthz`).catch(() => undefined)
  return answer?.ok === true
}
