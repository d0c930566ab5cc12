import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { lineOutput } from '../../src/http/log-output.ts'
import { REQUIRE_ALL } from '../reporter.ts'
import { type Deployment, deploy, makeFolder, type ServerProcess } from './server-process.ts'

/** What an orchestrator gives a process before it kills it. */
const KILL_MS = 10_000
/** Far more lines than fit into what is left of a page of the file system. */
const MANY = 60
const CAN_MOUNT = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

/** Starts the service with its stdout appended to a file. */
function startInto(shop: Deployment, file: string, before = ''): Promise<ServerProcess> {
  return shop.start({ RATE_LIMIT_MAX: '100000' }, ['sh', '-c', `${before} exec "$@" >> "$0"`, file])
}

async function clickOften(shop: Deployment): Promise<void> {
  for (let n = 0; n < MANY; n++) expect((await shop.get('/buy/tee')).status).toBe(302)
}

async function readyz(shop: Deployment) {
  const answer = await shop.get('/readyz')
  return { status: answer.status, body: await answer.json() }
}

async function expectStops({ child, ended }: ServerProcess): Promise<void> {
  const start = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(performance.now() - start).toBeLessThan(KILL_MS)
}

const FAILED = { status: 200, body: { status: 'degraded', parts: { log: { status: 'failed' } } } }
const WELL = { status: 200, body: { status: 'ready', parts: { log: { status: 'ok', droppedLines: 0 } } } }

type Line = Record<string, unknown>

async function linesIn(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8')
  return text.split('\n').flatMap((line): Line[] => (line === '' ? [] : [JSON.parse(line)]))
}

const isLoss = ({ event }: Line) => event === 'log.lines-dropped'
/** How many requests the log tells of, those that it says it has lost as well. */
const requestsIn = (lines: readonly Line[]) =>
  lines.filter(({ event }) => event === 'request.completed').length +
  lines.filter(isLoss).reduce((sum, { dropped }) => sum + Number(dropped), 0)

test.skipIf(!existsSync('/dev/full') && !REQUIRE_ALL)(
  'with a log that cannot be written from the start, clicks go on, readyz says so, and SIGTERM ends it with 0',
  { meta: { switchedOnBy: 'Linux (/dev/full)' } },
  async () => {
    const shop = await deploy()
    const server = await startInto(shop, '/dev/full')
    await clickOften(shop)
    expect(await readyz(shop)).toMatchObject(FAILED)
    expect((await shop.get('/healthz')).status).toBe(200)
    await expectStops(server)
    expect(server.output()).toBe('')
  },
)

test('with a log at the limit of its file size, clicks go on, and SIGTERM ends it with 0', async () => {
  const shop = await deploy()
  const file = join(shop.folder, 'log')
  const KIB = 1024
  await writeFile(file, `${JSON.stringify({ filler: 'x'.repeat(1_020 * KIB) })}\n`)
  // In blocks of 512 bytes: 1 MiB, which the database does not reach.
  const server = await startInto(shop, file, 'ulimit -f 2048;')
  await clickOften(shop)
  expect(await readyz(shop)).toMatchObject(FAILED)
  await truncate(file)
  await shop.get('/healthz')
  expect(await readyz(shop)).toMatchObject(WELL)
  // What was left of a line that had begun in the old file is not in the new one.
  const [first, ...more] = await linesIn(file)
  expect(first).toMatchObject({ level: 40, event: 'log.lines-dropped', dropped: expect.any(Number) })
  expect(more.filter(isLoss)).toEqual([])
  await expectStops(server)
})

describe.skipIf(!CAN_MOUNT && !REQUIRE_ALL)(
  'a log on a full disk',
  { meta: { switchedOnBy: 'Linux, as root (mount -t tmpfs)' } },
  () => {
    test('lines are dropped and counted; when there is room again, the first line says how many', async () => {
      const shop = await deploy()
      const disk = join(shop.folder, 'disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
      onTestFinished(() => void execFileSync('umount', ['--lazy', disk]))
      const file = join(disk, 'log')
      const server = await startInto(shop, file)
      // The last line that no request of this test writes.
      const isAccepted = ({ event }: Line) => event === 'dots.credentials.accepted'
      await vi.waitFor(async () => expect((await linesIn(file)).some(isAccepted)).toBe(true), 5_000)
      await expect(writeFile(join(disk, 'ballast'), Buffer.alloc(128 * 1024))).rejects.toThrow('ENOSPC')
      const before = (await linesIn(file)).length
      await clickOften(shop)
      expect(await readyz(shop)).toMatchObject(FAILED)
      await rm(join(disk, 'ballast'))
      expect((await shop.get('/healthz')).status).toBe(200)
      let polls = 0
      await vi.waitFor(async () => {
        polls += 1
        expect(await readyz(shop)).toMatchObject(WELL)
      })
      await expectStops(server)

      const lines = await linesIn(file)
      const losses = lines.filter(isLoss)
      expect(losses).toHaveLength(1)
      expect(losses[0]).toMatchObject({ level: 40, time: expect.any(Number) })
      const after = lines.slice(lines.findIndex(isLoss) + 1)
      expect(after[0]).toMatchObject({ event: 'request.completed' })
      expect(after.at(-1)).toMatchObject({ event: 'service.stopped', drained: true })
      // The clicks, readyz while the disk was full, healthz, and readyz until the log was well again.
      expect(requestsIn(lines.slice(before))).toBe(MANY + 1 + 1 + polls)
    })
  },
)

test('a reader of the log that goes away does not end the service', async () => {
  const shop = await deploy()
  const server = await shop.start()
  server.child.stdout?.destroy()
  for (let n = 0; n < 3; n++) expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(await readyz(shop)).toMatchObject(WELL)
  await expectStops(server)
})

test('a full pipe that nobody reads is waited for only once, and then lines are dropped and counted', async () => {
  const pipe = join(await makeFolder(), 'pipe')
  execFileSync('mkfifo', [pipe])
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(fd))
  const PIPE_BYTES = 65_536
  writeSync(fd, Buffer.alloc(PIPE_BYTES, 'x\n'))
  const output = lineOutput(fd)
  for (let n = 0; n < 1_000; n++) output.write('{"n":1}\n')
  expect(output.droppedLines).toBe(1_000)
  readSync(fd, Buffer.alloc(PIPE_BYTES))
  output.write('{"n":2}\n')
  expect(output.droppedLines).toBe(0)
  const read = Buffer.alloc(PIPE_BYTES)
  const text = read.subarray(0, readSync(fd, read)).toString()
  const lines = text
    .trim()
    .split('\n')
    .map((line): Line => JSON.parse(line))
  expect(lines).toMatchObject([{ event: 'log.lines-dropped', dropped: 1_000 }, { n: 2 }])
})
