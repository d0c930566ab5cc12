import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { startSandbox } from '../../src/sandbox/sandbox.ts'

const SERVER = resolve(import.meta.dirname, '../../src/server.ts')
const CREDENTIALS = { clientId: 'soak', apiKey: 'soak-key' }
/** The IP address of a buyer who clicks during the flood. */
const BUYER = '192.0.2.10'
/** A buyer's allowance is a click a second on average; every other second leaves room. */
const BUYER_EVERY_SAMPLES = 2

/** One second of the flood. */
export interface Sample {
  second: number
  /** Resident memory of the service, in MiB. */
  rssMiB: number
  /** Responses by status, and the outcomes of bombs and slow senders. */
  answers: Record<string, number>
  /** The response to the buyer at another IP address, and after how many milliseconds. */
  buyer: { status: number; ms: number } | undefined
}

/**
 * Floods a service of its own for so many seconds, and reports a sample each second. `nodeOptions` are the service's,
 * such as `--max-old-space-size=128`: with little room for garbage, what still grows is a leak.
 */
export async function soak(
  seconds: number,
  report: (sample: Sample) => void,
  nodeOptions: readonly string[] = [],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-soak-'))
  const sandbox = await startSandbox({ ...CREDENTIALS, recordRequests: false })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await writeFile(
    join(folder, 'catalog.json'),
    JSON.stringify({ products: [{ sku: 'tee', name: 'Tee', amount: 2500 }] }),
  )
  const server = spawn(process.execPath, [...nodeOptions, SERVER], {
    cwd: folder,
    env: {
      DOTS_CLIENT_ID: CREDENTIALS.clientId,
      DOTS_API_KEY: CREDENTIALS.apiKey,
      DOTS_API_URL: sandbox.url,
      HOST: '127.0.0.1',
      PORT: String(port),
      CATALOG_PATH: join(folder, 'catalog.json'),
      DATABASE_URL: `sqlite:${join(folder, 'shop.db')}`,
      TRUST_PROXY: '127.0.0.1/32',
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(server, 'close')
  try {
    await answering(url)
    const flood = spawn(
      process.execPath,
      [resolve(import.meta.dirname, 'flood-client.ts'), url, String(seconds)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let second = 0
    for await (const line of createInterface({ input: flood.stdout })) {
      second++
      const answers: Record<string, number> = JSON.parse(line)
      const buyer = second % BUYER_EVERY_SAMPLES === 0 ? await buy(url) : undefined
      report({ second, rssMiB: rssOf(server.pid ?? 0), answers, buyer })
    }
  } finally {
    server.kill('SIGTERM')
    await ended
    await sandbox.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function buy(url: string): Promise<{ status: number; ms: number }> {
  const start = performance.now()
  const answer = await fetch(`${url}/buy/tee`, {
    redirect: 'manual',
    headers: { 'x-forwarded-for': BUYER },
  })
  await answer.arrayBuffer()
  return { status: answer.status, ms: Math.round(performance.now() - start) }
}

function rssOf(pid: number): number {
  return Math.round(
    Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024,
  )
}

async function answering(url: string): Promise<void> {
  for (;;) {
    const isUp = await fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isUp) return
    await new Promise((wait) => setTimeout(wait, 50))
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return address !== null && typeof address === 'object' ? address.port : 0
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '10' }, heap: { type: 'string' } },
  })
  const nodeOptions = values.heap === undefined ? [] : [`--max-old-space-size=${values.heap}`]
  const say = ({ second, rssMiB, answers, buyer }: Sample) => {
    const perSecond = Object.entries(answers).map(([what, times]) => `${times} x ${what}`)
    const bought = buyer === undefined ? '' : `; a buyer: ${buyer.status} in ${buyer.ms} ms`
    console.log(`${second} s: ${rssMiB} MiB; ${perSecond.join(', ')}${bought}`)
  }
  await soak(Number(values.minutes) * 60, say, nodeOptions)
}
