import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { load, percentile } from './load.ts'
import { cpuMicroseconds, freePort, isPinned, memoryMb, type Running, start } from './servers.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    /** The folder of another version of the service, to be measured in the same run. */
    against: { type: 'string' },
  },
})
const ROUNDS = Number(options.rounds)
const SECONDS = Number(options.seconds)
const CONNECTIONS = 64
const UPSTREAM_DELAY_MS = 50
const ROOT = join(import.meta.dirname, '..')

interface Contender {
  name: string
  path: string
  args: (port: number, upstreamUrl: string) => readonly string[]
  env?: (port: number, upstreamUrl: string, folder: string) => Record<string, string>
  cwd?: string
}

const HEAP = ['--max-old-space-size=256', '--max-semi-space-size=8']

function service(name: string, folder: string): Contender {
  return {
    name,
    path: '/buy/tee-black-m',
    cwd: folder,
    args: () => [...HEAP, join(folder, 'src/server.ts')],
    env: (port, upstreamUrl, data) => ({
      NODE_ENV: 'production',
      DOTS_API_URL: `${upstreamUrl}/api`,
      DOTS_CLIENT_ID: 'bench',
      DOTS_API_KEY: 'bench-key-of-no-account',
      HOST: '127.0.0.1',
      PORT: String(port),
      CATALOG_PATH: join(folder, 'catalog.json'),
      DATABASE_URL: `sqlite:${join(data, 'buy-links.db')}`,
      // The limit counts each click, but lets all of them pass: they come from one address.
      RATE_LIMIT_MAX: '1000000',
      RATE_LIMIT_WINDOW: '10',
    }),
  }
}

const contenders: Contender[] = [
  {
    name: 'bare Fastify + undici',
    path: '/buy/tee-black-m',
    args: (port, url) => [join(ROOT, 'bench/bare.ts'), String(port), url],
  },
  {
    name: 'Express + Stripe SDK',
    path: '/buy/tee-black-m',
    args: (port, url) => [join(ROOT, 'bench/express-stripe.ts'), String(port), url],
  },
  ...(options.against ? [service(`the service in ${options.against}`, options.against)] : []),
  service('dots-buy-links', ROOT),
]

interface Measured {
  clicksPerSecond: number
  cpuMicroseconds: number
  addedP50Ms: number
  addedP99Ms: number
  idleMb: number
  loadedMb: number
  startMs: number
}

const folder = mkdtempSync(join(tmpdir(), 'bench-'))
const results = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]))
try {
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const contender of contenders) {
      const measured = await measure(contender, join(folder, `${round}`))
      results.get(contender.name)?.push(measured)
      console.error(`round ${round}: ${contender.name}: ${Math.round(measured.clicksPerSecond)} clicks/s`)
    }
  }
  report()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measure(contender: Contender, data: string): Promise<Measured> {
  const running: Running[] = []
  try {
    const quick = await upstream(0)
    running.push(quick)
    const server = await run(contender, quick.port, `${data}-quick`)
    running.push(server)
    const click = {
      port: server.port,
      path: () => contender.path,
      connections: CONNECTIONS,
      status: 302,
      location: /^https:\/\/checkout\.example\/s\/[\w-]{36}$/,
      isDistinct: true,
    }
    await sleep(1_500)
    const idleMb = memoryMb(server.pid)
    await load({ ...click, seconds: SECONDS / 2 })
    const cpuBefore = cpuMicroseconds(server.pid)
    const quickResult = await load({ ...click, seconds: SECONDS })
    const cpu = cpuMicroseconds(server.pid) - cpuBefore
    await sleep(1_000)
    const loadedMb = memoryMb(server.pid)
    await stopAll(running)

    const slow = await upstream(UPSTREAM_DELAY_MS)
    running.push(slow)
    const waiting = await run(contender, slow.port, `${data}-slow`)
    running.push(waiting)
    const few = { connections: 4, seconds: SECONDS }
    const post = { method: 'POST', body: '{"line_items":[],"mode":"payment"}', status: 200 }
    const through = { ...click, ...few, port: waiting.port }
    await load({ ...through, seconds: 1 })
    const direct = await load({ ...few, ...post, port: slow.port, path: () => '/api/v2/checkout-sessions' })
    const added = await load(through)
    return {
      clicksPerSecond: quickResult.answers / quickResult.seconds,
      cpuMicroseconds: cpu / quickResult.answers,
      addedP50Ms: percentile(added, 0.5) - percentile(direct, 0.5),
      addedP99Ms: percentile(added, 0.99) - percentile(direct, 0.99),
      idleMb,
      loadedMb,
      startMs: server.startMs,
    }
  } finally {
    await stopAll(running)
  }
}

async function stopAll(running: Running[]): Promise<void> {
  for (const one of running.splice(0).reverse()) await one.stop()
}

async function upstream(delayMs: number): Promise<Running> {
  const port = await freePort()
  const args = [join(ROOT, 'bench/upstream.ts'), String(port), String(delayMs)]
  return start({ args, port, path: '/', core: 'load' })
}

async function run(
  { args, env, path, cwd }: Contender,
  upstreamPort: number,
  data: string,
): Promise<Running> {
  const port = await freePort()
  const url = `http://127.0.0.1:${upstreamPort}`
  const logPath = join(folder, 'server.log')
  writeFileSync(logPath, '')
  return start({
    args: args(port, url),
    env: env?.(port, url, data),
    cwd,
    port,
    path,
    core: 'server',
    logPath,
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function report(): void {
  const [bare] = contenders
  const bareRounds = results.get(bare?.name ?? '') ?? []
  const of = (name: string, field: keyof Measured) => (results.get(name) ?? []).map((one) => one[field])
  /** The median of the ratios of each round, whose servers ran right after one another. */
  const ratio = (name: string, field: keyof Measured) =>
    median(of(name, field).map((value, round) => value / (bareRounds[round]?.[field] ?? Number.NaN)))
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s`,
  )
  console.log(
    isPinned
      ? 'each server on one core, the load and Dots on the other'
      : 'NOT pinned to cores: taskset is missing',
  )
  const speeds = of(bare?.name ?? '', 'clicksPerSecond')
  const noise = (Math.max(...speeds) - Math.min(...speeds)) / median(speeds)
  console.log(
    `noise: the speed of the bare handler differed by ${(noise * 100).toFixed(0)} % between the rounds\n`,
  )
  console.log(
    '| server | throughput ÷ bare | CPU ÷ bare | CPU µs a click | added p50 / p99 ms | memory idle / after load MB | start ÷ bare | start ms |',
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const { name } of contenders) {
    const value = (field: keyof Measured, digits = 0) => median(of(name, field)).toFixed(digits)
    const cells = [
      name,
      ratio(name, 'clicksPerSecond').toFixed(2),
      ratio(name, 'cpuMicroseconds').toFixed(2),
      value('cpuMicroseconds'),
      `${value('addedP50Ms', 1)} / ${value('addedP99Ms', 1)}`,
      `${value('idleMb')} / ${value('loadedMb')}`,
      ratio(name, 'startMs').toFixed(2),
      value('startMs'),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}
