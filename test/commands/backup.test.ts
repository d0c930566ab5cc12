import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, existsSync, readdirSync } from 'node:fs'
import { chmod, link, lstat, mkdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openStore } from '../../src/store/open-store.ts'
import { counts } from '../counts.ts'
import { makeFolder } from '../operations/server-process.ts'
import { change, IDLE_JOBS, rows } from '../orders/sale.ts'
import { startService } from '../service.ts'
import { envOf, run, runBeside, runScript } from './run-command.ts'

const NOBODY = 65_534
const COMMAND = resolve('src/commands/backup.ts')

/** So many checkouts that a copy of them takes a while. */
const FILL = `
  with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
  insert into checkouts (id, state, items, amount_total, currency, link, metadata, created_at, updated_at)
  select 'row-' || i, 'expired', '[]', 1, 'usd', '/', json_object('filler', hex(randomblob(400))), '2026', '2026' from n`

/** The ids of the checkouts in a copy, which has to be whole. */
function idsIn(path: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    return database
      .prepare('select id from checkouts')
      .all()
      .map(({ id }) => id)
  } finally {
    database.close()
  }
}

test('a copy is whole while the shop sells without a pause, and opens as a store', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  change(shop, FILL)
  const file = join(shop.folder, 'copies', 'shop.db')
  await mkdir(join(shop.folder, 'copies'))
  const before = rows(shop, 'checkouts').map(({ id }) => id)
  let isOver = false
  const clicks = (async () => {
    for (let sold = 0; ; sold++) {
      if (isOver) return sold
      expect((await shop.get('/buy/tee')).status).toBe(302)
    }
  })()
  const { code, stdout, stderr } = await runScript('backup', [file], envOf(shop))
  isOver = true
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/shop\.db: \d+ checkouts, \d+\.\d MiB, checked\n$/)
  expect(await clicks).toBeGreaterThan(0)
  const copied = new Set(idsIn(file))
  expect(before.filter((id) => !copied.has(id))).toEqual([])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(shop.folder, 'copies'))).toEqual(['shop.db'])
  const store = await openStore(`sqlite:${file}`)
  await store.ping()
  await store.close()
})

test('a killed run leaves the old copy or none under the name, and the next one removes what it left', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  change(shop, FILL)
  const folder = join(shop.folder, 'copies')
  await mkdir(folder)
  const file = join(folder, 'shop.db')
  for (let round = 0; round < counts(30, 4); round++) {
    const child = spawn(process.execPath, [COMMAND, file], { env: shop.env, stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    // Killed in the middle of it, at another moment each time.
    await vi.waitUntil(() => readdirSync(folder).some((name) => name.endsWith('.part')), {
      timeout: 30_000,
      interval: 1,
    })
    await sleep(Math.random() * 100)
    child.kill('SIGKILL')
    await ended
    if (existsSync(file)) expect(idsIn(file)).toHaveLength(20_000)
  }
  expect((await runScript('backup', [file], envOf(shop))).code).toBe(0)
  expect(readdirSync(folder)).toEqual(['shop.db'])
  expect(idsIn(file)).toHaveLength(20_000)
})

test('it needs no other setting than DATABASE_URL, and runs without the service', async () => {
  const folder = await makeFolder()
  const url = `sqlite:${join(folder, 'shop.db')}`
  await (await openStore(url)).close()
  const file = join(folder, 'copy.db')
  const { code } = await run('backup', [file], { env: { DATABASE_URL: url } })
  expect(code).toBe(0)
  expect(idsIn(file)).toEqual([])
  expect(readdirSync(folder).sort()).toEqual(['copy.db', 'shop.db'])
})

test('an existing file is replaced, and stays as it is where the copy fails', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const file = join(shop.folder, 'copy.db')
  await writeFile(file, 'the last copy', { mode: 0o644 })
  const missing = { DATABASE_URL: `sqlite:${shop.folder}/none/none.db` }
  expect((await runBeside(shop, 'backup', [file], missing)).code).toBe(1)
  expect(await readFile(file, 'utf8')).toBe('the last copy')
  expect((await runBeside(shop, 'backup', [file])).code).toBe(0)
  expect(idsIn(file)).toEqual([])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('a missing, a foreign and a damaged database are errors that leave no file', async () => {
  const folder = await makeFolder()
  const path = join(folder, 'shop.db')
  const file = join(folder, 'copy.db')
  const backup = () => run('backup', [file], { env: { DATABASE_URL: `sqlite:${path}` } })
  const missing = await backup()
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining(`no database at ${path}`)])
  expect(readdirSync(folder)).toEqual([])
  const other = new DatabaseSync(path)
  other.exec('create table notes (text)')
  other.close()
  const foreign = await backup()
  expect([foreign.code, foreign.stderr]).toEqual([1, expect.stringContaining('another program')])
  await rm(path)
  await (await openStore(`sqlite:${path}`)).close()
  const bytes = await readFile(path)
  await writeFile(path, bytes.fill(0x5a, 8192))
  const damaged = await backup()
  expect([damaged.code, damaged.stderr]).toEqual([
    1,
    expect.stringContaining(`${path} is damaged: put back a backup`),
  ])
  await writeFile(path, 'no database, but '.repeat(200))
  const wrong = await backup()
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining(`${path} is no SQLite database`)])
  expect(existsSync(file)).toBe(false)
})

test('the database itself is no place for its copy, by whatever name', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const [soft, hard] = [join(shop.folder, 'soft.db'), join(shop.folder, 'hard.db')]
  await symlink(shop.databasePath, soft)
  await link(shop.databasePath, hard)
  const { databasePath } = shop
  const [toLog, folder] = [join(shop.folder, 'log.db'), join(shop.folder, 'folder')]
  await symlink(`${databasePath}-wal`, toLog)
  await symlink(dirname(databasePath), folder)
  const journal = join(folder, `${basename(databasePath)}-journal`)
  const beside = [`${databasePath}-wal`, `${databasePath}-shm`, toLog, journal]
  for (const file of [databasePath, ...beside, soft, hard]) {
    const { code, stderr } = await runBeside(shop, 'backup', [file])
    expect([file, code]).toEqual([file, 2])
    expect(stderr).toContain('belongs to the database itself')
  }
  expect((await shop.get('/readyz')).status).toBe(200)
})

test('what is no regular file is refused, and stays what it is', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const [pipe, toPipe, toNothing] = ['pipe', 'to-pipe', 'to-nothing'].map((name) => join(shop.folder, name))
  if (pipe === undefined || toPipe === undefined || toNothing === undefined) throw new Error('no names')
  execFileSync('mkfifo', [pipe])
  await symlink(pipe, toPipe)
  await symlink(join(shop.folder, 'nothing'), toNothing)
  // The kernel follows the link before it goes up.
  await mkdir(join(shop.folder, 'far', 'deep'), { recursive: true })
  await symlink(join('far', 'deep'), join(shop.folder, 'link'))
  expect((await runBeside(shop, 'backup', [`${shop.folder}/link/../pipe`])).code).toBe(0)
  expect(existsSync(join(shop.folder, 'far', 'pipe'))).toBe(true)
  const files = [pipe, toPipe, toNothing, shop.folder]
  const kinds = () => Promise.all(files.map(async (file) => (await lstat(file)).mode & constants.S_IFMT))
  const before = await kinds()
  for (const file of files) {
    const { code, stderr } = await runBeside(shop, 'backup', [file])
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${file} is no regular file`)])
  }
  expect(before[0]).toBe(constants.S_IFIFO)
  expect(await kinds()).toEqual(before)
  expect(existsSync(join(shop.folder, 'nothing'))).toBe(false)
})

test('behind a symbolic link it is the target that is written', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await mkdir(join(shop.folder, 'copies'))
  const [target, file] = [join(shop.folder, 'copies', 'monday.db'), join(shop.folder, 'newest.db')]
  await writeFile(target, 'the last copy')
  await symlink(target, file)
  expect((await runBeside(shop, 'backup', [file])).code).toBe(0)
  expect((await lstat(file)).isSymbolicLink()).toBe(true)
  expect(await realpath(file)).toBe(await realpath(target))
  expect(idsIn(target)).toEqual([])
})

test.each(['backup', 'orders'])(
  'a database in a folder that may not be searched is not called missing: %s',
  async (name) => {
    const folder = await makeFolder()
    const shut = join(folder, 'shut')
    const path = join(shut, 'shop.db')
    await (await openStore(`sqlite:${path}`)).close()
    await chmod(folder, 0o777)
    await chmod(shut, 0o666)
    onTestFinished(() => chmod(shut, 0o700))
    const words = name === 'backup' ? [join(folder, 'copy.db')] : []
    const child = spawn(process.execPath, [resolve(`src/commands/${name}.ts`), ...words], {
      cwd: folder,
      env: {
        DOTS_CLIENT_ID: 'id',
        DOTS_API_KEY: 'key',
        PUBLIC_URL: 'https://shop.example',
        DATABASE_URL: `sqlite:${path}`,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      // Permissions mean nothing to root.
      ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
    })
    const stderr = text(child.stderr)
    await once(child, 'close')
    expect([child.exitCode, await stderr]).toEqual([
      1,
      expect.stringMatching(`${shut} belongs to .* mode 0666`),
    ])
  },
)

test('a place that cannot be written and a wrong command line are explained', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await writeFile(join(shop.folder, 'file'), '')
  for (const folder of ['none', 'file']) {
    const file = join(shop.folder, folder, 'copy.db')
    const { code, stderr } = await runBeside(shop, 'backup', [file])
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${file} cannot be written: `)])
  }
  const wrong = [[], ['a.db', 'b.db'], [join(shop.folder, 'copies/')]]
  for (const words of wrong) expect((await runBeside(shop, 'backup', words)).code).toBe(2)
})

test('for PostgreSQL it says to use pg_dump', async () => {
  for (const DATABASE_URL of ['postgres://user:hunter2@db/shop', 'postgresql://db/shop']) {
    const { code, stdout, stderr } = await run('backup', ['copy.db'], { env: { DATABASE_URL } })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('pg_dump')
    expect(stderr).not.toContain('hunter2')
  }
})
