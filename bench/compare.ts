import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  bare,
  CLICK,
  type Contender,
  cold,
  median,
  startContender,
  startUpstream,
  stopAll,
  WARM_SESSIONS,
  warm,
  warmUp,
} from './contenders.ts'
import { load, percentile } from './load.ts'
import { cpuMicroseconds, isPinned, memoryMb, type Running } from './servers.ts'

export const CONNECTIONS = 64
const UPSTREAM_DELAY_MS = 50

interface Measured {
  clicksPerSecond: number
  cpuMicroseconds: number
  p50Ms: number
  addedP50Ms: number
  addedP99Ms: number
  idleMb: number
  loadedMb: number
  startMs: number
}

interface Options {
  rounds: number
  seconds: number
  /** For the data of the servers. */
  folder: string
}

/** Measures each contender in turn, round by round, and prints the table. The first one is what the others are compared with. */
export async function compare(contenders: readonly Contender[], { rounds, seconds, folder }: Options) {
  const results = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]))
  const redirects: Redirects[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const data = join(folder, `${round}-redirect`)
    redirects.push({
      bare: await plainRedirect(bare, { path: '/redirect', status: 302 }, seconds, `${data}-bare`),
      service: await plainRedirect(cold, { path: '/buy', status: 303 }, seconds, `${data}-service`),
    })
    for (const contender of contenders) {
      const measured = await measure(
        contender,
        seconds,
        join(folder, `${round}-${contenders.indexOf(contender)}`),
      )
      results.get(contender.name)?.push(measured)
      console.error(`round ${round}: ${contender.name}: ${Math.round(measured.clicksPerSecond)} clicks/s`)
    }
  }
  report(contenders, results, redirects)
}

async function measure(contender: Contender, seconds: number, data: string): Promise<Measured> {
  const running: Running[] = []
  try {
    const quick = await startUpstream(0)
    running.push(quick)
    const server = await startContender(contender, quick.port, `${data}-quick`)
    running.push(server)
    const click = {
      ...CLICK,
      port: server.port,
      path: () => contender.path,
      connections: CONNECTIONS,
      // No part may end because the stock does: the first answer, of the start, has taken one as well.
      requests: contender === warm ? WARM_SESSIONS - 100 : undefined,
    }
    await sleep(1_500)
    const idleMb = memoryMb(server.pid)
    await warmUp(server, click)
    const cpuBefore = cpuMicroseconds(server.pid)
    const result = await load({ ...click, seconds })
    const cpu = cpuMicroseconds(server.pid) - cpuBefore
    await sleep(1_000)
    const loadedMb = memoryMb(server.pid)
    await stopAll(running)
    return {
      clicksPerSecond: result.answers / result.seconds,
      cpuMicroseconds: cpu / result.answers,
      p50Ms: percentile(result, 0.5),
      ...(await added(contender, seconds, data)),
      idleMb,
      loadedMb,
      startMs: server.startMs,
    }
  } finally {
    await stopAll(running)
  }
}

/** What a click takes longer than the upstream asked directly, with few clicks at a time. */
async function added(contender: Contender, seconds: number, data: string) {
  const running: Running[] = []
  try {
    const slow = await startUpstream(UPSTREAM_DELAY_MS)
    running.push(slow)
    const server = await startContender(contender, slow.port, `${data}-slow`)
    running.push(server)
    const few = { connections: 4, seconds }
    const through = { ...CLICK, ...few, port: server.port, path: () => contender.path }
    await load({ ...through, connections: CONNECTIONS })
    const post = { method: 'POST', body: '{"line_items":[],"mode":"payment"}', status: 200 }
    const path = () => '/api/v2/checkout-sessions'
    const direct = await load({ ...few, ...post, port: slow.port, path })
    const clicks = await load(through)
    return {
      addedP50Ms: percentile(clicks, 0.5) - percentile(direct, 0.5),
      addedP99Ms: percentile(clicks, 0.99) - percentile(direct, 0.99),
    }
  } finally {
    await stopAll(running)
  }
}

/** The median times of redirects that ask nobody, in milliseconds, at as many connections. */
interface Redirects {
  bare: number
  /** `/buy` without items leads to the shop. */
  service: number
}

async function plainRedirect(
  contender: Contender,
  { path, status }: { path: string; status: number },
  seconds: number,
  data: string,
): Promise<number> {
  const running: Running[] = []
  try {
    const upstream = await startUpstream(0)
    running.push(upstream)
    const server = await startContender(contender, upstream.port, data)
    running.push(server)
    const options = { port: server.port, path: () => path, connections: CONNECTIONS, status }
    await load({ ...options, seconds })
    return percentile(await load({ ...options, seconds }), 0.5)
  } finally {
    await stopAll(running)
  }
}

function report(
  contenders: readonly Contender[],
  results: ReadonlyMap<string, readonly Measured[]>,
  redirects: readonly Redirects[],
): void {
  const of = (name: string, field: keyof Measured) => (results.get(name) ?? []).map((one) => one[field])
  const bareOf = (field: keyof Measured) => of(contenders[0]?.name ?? '', field)
  /** The median of the ratios of each round, whose servers ran right after one another. */
  const ratio = (name: string, field: keyof Measured) =>
    median(of(name, field).map((value, round) => value / (bareOf(field)[round] ?? Number.NaN)))
  console.log(
    isPinned
      ? 'each server on one core, the load and Dots on the other'
      : 'NOT pinned to cores: taskset is missing',
  )
  const speeds = bareOf('clicksPerSecond')
  const noise = (Math.max(...speeds) - Math.min(...speeds)) / median(speeds)
  console.log(
    `noise: the speed of the bare handler differed by ${(noise * 100).toFixed(0)} % between the rounds\n`,
  )
  console.log(
    '| server | throughput ÷ bare | CPU ÷ bare | CPU µs a click | p50 ms at 64 | added p50 / p99 ms | memory idle / after load MB | start ÷ bare | start ms |',
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const { name } of contenders) {
    const value = (field: keyof Measured, digits = 0) => median(of(name, field)).toFixed(digits)
    const cells = [
      name,
      ratio(name, 'clicksPerSecond').toFixed(2),
      ratio(name, 'cpuMicroseconds').toFixed(2),
      value('cpuMicroseconds'),
      value('p50Ms', 1),
      `${value('addedP50Ms', 1)} / ${value('addedP99Ms', 1)}`,
      `${value('idleMb')} / ${value('loadedMb')}`,
      ratio(name, 'startMs').toFixed(2),
      value('startMs'),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
  const p50 = (of: keyof Redirects) => median(redirects.map((one) => one[of])).toFixed(1)
  console.log(
    `\na redirect that asks nobody, at ${CONNECTIONS} connections: p50 ${p50('bare')} ms bare, ${p50('service')} ms in the service`,
  )
}
