import '../../src/node-version.js'
import { parseArgs } from 'node:util'
import { installSimulatedDatabase } from './simulated-database.ts'
import { TROUBLE_KINDS } from './troubles.ts'
import { installVirtualTime } from './virtual-time.ts'

const USAGE = `Runs the service on virtual time, under faults that a seed decides.

  npm run simulate -- --seed N [--hours 6] [--clicks-per-hour 200] [--processes 2]

  --seed N           one seed, or several: 1-20, or 3,17
  --hours H          hours of virtual time with customers and faults
  --only KINDS       only these faults, separated by commas: ${TROUBLE_KINDS.join(', ')}
  --trace            prints the log of the service, with virtual time
`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    hours: { type: 'string', default: '6' },
    'clicks-per-hour': { type: 'string', default: '200' },
    processes: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    trace: { type: 'boolean', default: false },
  },
})

const MINUTE = 60_000
const clock = (ms: number) =>
  `${Math.floor(ms / (60 * MINUTE))}:${String(Math.floor(ms / MINUTE) % 60).padStart(2, '0')}`

async function main(): Promise<void> {
  const seeds = seedsOf(values.seed)
  const numbers = [values.hours, values['clicks-per-hour'], values.processes].map(Number)
  const [hours = 0, clicksPerHour = 0, processes = 0] = numbers
  const only = values.only === '' ? [] : values.only.split(',')
  if (seeds.length === 0 || numbers.some((number) => !(number > 0)) || !only.every(isKind)) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  installVirtualTime()
  installSimulatedDatabase()
  // Only now, so that every module sees virtual time.
  const { buildApp } = await import('../../src/app.ts')
  const { run } = await import('./run.ts')
  const failed: number[] = []
  for (const seed of seeds) {
    const trace = values.trace
      ? (atMs: number, name: string, line: string) =>
          process.stdout.write(`${clock(atMs)} ${(atMs / 1000).toFixed(3)} ${name} ${line.trim()}\n`)
      : undefined
    const result = await run({ seed, hours, clicksPerHour, processes, only, buildApp, trace })
    const { failures, counts, digest, seconds } = result
    if (failures.length > 0) failed.push(seed)
    const summary = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
    console.log(
      `seed ${seed}: ${failures.length === 0 ? 'well' : 'FAILED'}, ${seconds.toFixed(1)} s, ${digest}`,
    )
    if (seeds.length === 1) console.log(`  ${summary.join(', ')}`)
    if (failures.length > 0 || seeds.length === 1) {
      const troubles = result.troubles.map(({ kind, from, to }) => `${kind} ${clock(from)}-${clock(to)}`)
      console.log(`  faults: ${troubles.join(', ')}`)
    }
    for (const { rule, atMs, details } of failures) {
      console.log(`  ${clock(atMs)} ${rule} ${JSON.stringify(details).slice(0, 1_000)}`)
    }
  }
  if (failed.length > 0) {
    console.log(`failed: ${failed.join(', ')}; replay one of them with --seed N and the same options`)
    process.exitCode = 1
  }
}

function isKind(kind: string): boolean {
  return TROUBLE_KINDS.some((known) => known === kind)
}

/** `7`, `1-20` or `3,17`; empty where it is none of them. */
function seedsOf(text = ''): number[] {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? []
  if (first !== undefined && last !== undefined) {
    return Array.from(
      { length: Math.max(0, Number(last) - Number(first) + 1) },
      (_, at) => Number(first) + at,
    )
  }
  return /^\d+(,\d+)*$/.test(text) ? text.split(',').map(Number) : []
}

await main()
