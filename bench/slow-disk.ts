import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { CLICK, cold, ROOT, startContender, startUpstream, stopAll } from './contenders.ts'
import { type LoadResult, load, percentile } from './load.ts'
import { isPinned, type Running } from './servers.ts'

const CONNECTIONS = 64

/** Measures the service on disks whose flush takes long, with two cores for everything. */
export async function slowDisk(seconds: number, folder: string): Promise<void> {
  const library = join(folder, 'slow-flush.so')
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(ROOT, 'bench/slow-flush.c')])
  } catch {
    console.log('LEFT OUT: there is no C compiler (cc) for bench/slow-flush.c')
    return
  }
  if (!isPinned) console.log('NOT pinned to two cores: taskset is missing')
  console.log(
    '| a flush takes ms | clicks/s, 64 at a time | p50 / p99 ms | /healthz beside it p50 / p90 ms | a lone click p50 ms |',
  )
  console.log('| --- | --- | --- | --- | --- |')
  for (const ms of [0, 10, 50]) {
    const running: Running[] = []
    try {
      const upstream = await startUpstream(0)
      running.push(upstream)
      const moreEnv = { LD_PRELOAD: library, SLOW_FLUSH_MS: String(ms) }
      const server = await startContender(cold, upstream.port, join(folder, `disk-${ms}`), {
        core: 'any',
        moreEnv,
      })
      running.push(server)
      const click = { ...CLICK, port: server.port, path: () => cold.path }
      await load({ ...click, connections: CONNECTIONS, seconds: seconds / 2 })
      const health = { port: server.port, path: () => '/healthz', status: 200, connections: 1, pauseMs: 10 }
      const [clicks, healthz] = await Promise.all([
        load({ ...click, connections: CONNECTIONS, seconds }),
        load({ ...health, seconds }),
      ])
      const lone = await load({ ...click, connections: 1, requests: 50 })
      const at = (result: LoadResult, share: number) => percentile(result, share).toFixed(1)
      const cells = [
        ms,
        Math.round(clicks.answers / clicks.seconds),
        `${at(clicks, 0.5)} / ${at(clicks, 0.99)}`,
        `${at(healthz, 0.5)} / ${at(healthz, 0.9)}`,
        at(lone, 0.5),
      ]
      console.log(`| ${cells.join(' | ')} |`)
    } finally {
      await stopAll(running)
    }
  }
}
