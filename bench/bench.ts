import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CONNECTIONS, compare } from './compare.ts'
import { bare, buildBundle, cold, express, service, warm } from './contenders.ts'
import { slowDisk } from './slow-disk.ts'
import { manyClicks, manyProducts, manyRows } from './volume.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    /** The folder of another version of the service, to be measured in the same run from its sources. */
    against: { type: 'string' },
    'slow-disk': { type: 'boolean', default: false },
    rows: { type: 'string' },
    products: { type: 'string' },
    clicks: { type: 'string' },
  },
})
const seconds = Number(options.seconds)
const rounds = Number(options.rounds)

const folder = mkdtempSync(join(tmpdir(), 'bench-'))
try {
  buildBundle()
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${CONNECTIONS} connections, ${seconds} s each`,
  )
  if (options['slow-disk']) await slowDisk(seconds, folder)
  else if (options.rows !== undefined) await manyRows(Number(options.rows), seconds, folder)
  else if (options.products !== undefined) await manyProducts(Number(options.products), seconds, folder)
  else if (options.clicks !== undefined) await manyClicks(Number(options.clicks), folder)
  else {
    const { against } = options
    const other = against ? [service(`the service in ${against}`, against, { program: 'src/server.ts' })] : []
    await compare([bare, express, ...other, cold, warm], { rounds, seconds, folder })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
