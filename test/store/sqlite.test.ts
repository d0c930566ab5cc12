import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { migrations } from '../../src/store/migrations/migrations.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { StoreError } from '../../src/store/store.ts'
import { orderBooksContract } from '../contract/order-books.ts'
import { NEW_CHECKOUT, type StoreUnderTest, storeContract } from '../contract/store.ts'
import { visitsContract } from '../contract/visits.ts'
import { warmContract } from '../contract/warm.ts'

async function withNewFile(options: { now: () => Date }): Promise<StoreUnderTest> {
  const url = `sqlite:${join(await newFolder(), 'shop.db')}`
  const store = await openStore(url, options)
  return {
    store,
    async reopen() {
      await store.close()
      return openStore(url, options)
    },
  }
}

storeContract('SQLite', withNewFile)
orderBooksContract('SQLite', withNewFile)
visitsContract('SQLite', withNewFile)
warmContract('SQLite', withNewFile)

const CREATED_AT = '2026-11-22T10:00:00.000Z'

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-store-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function opened(path: string): Promise<Store> {
  const store = await openStore(`sqlite:${path}`)
  onTestFinished(() => store.close())
  return store
}

/** A second connection, as another process would have it. */
function connection(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  onTestFinished(() => {
    if (database.isOpen) database.close()
  })
  return database
}

/** Runs a script of this folder with the Node that runs the tests. */
function run(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  const ended = Promise.all([
    new Promise<void>((resolve) => reader.once('close', resolve)),
    new Promise<number | null>((resolve) => child.once('exit', resolve)),
  ]).then(([, code]) => code)
  return { child, lines, ended }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => 'no error',
    (reason: unknown) => reason,
  )
  return error instanceof StoreError ? error.code : String(error)
}

test('the file keeps a write-ahead log, and a commit waits for the disk', async () => {
  const path = join(await newFolder(), 'shop.db')
  const store = await opened(path)
  await store.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT)
  expect(connection(path).prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' })
  // `synchronous` belongs to a connection and cannot be asked from outside.
  expect(await readFile(new URL('../../src/store/sqlite.ts', import.meta.url), 'utf8')).toContain(
    'PRAGMA synchronous = FULL',
  )
})

test('a new database and its folders belong to their owner alone, and what exists keeps its mode', async () => {
  const folder = await newFolder()
  await chmod(folder, 0o755)
  const path = join(folder, 'deep', 'er', 'shop.db')
  const store = await opened(path)
  await store.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT)
  const modeOf = async (name: string) => ((await stat(name)).mode & 0o777).toString(8)
  for (const name of [join(folder, 'deep'), join(folder, 'deep', 'er')])
    expect(await modeOf(name)).toBe('700')
  for (const end of ['', '-wal', '-shm']) expect(await modeOf(path + end)).toBe('600')
  expect(await modeOf(folder)).toBe('755')
  await store.close()
  await chmod(path, 0o640)
  await opened(path)
  expect(await modeOf(path)).toBe('640')
})

test('the write-ahead log shrinks again after a reader that kept it from being emptied', async () => {
  const path = join(await newFolder(), 'shop.db')
  const store = await opened(path)
  const reader = connection(path)
  reader.exec('begin; select * from checkouts')
  const sizeOfLog = async () => (await stat(`${path}-wal`)).size
  const MEBIBYTE = 1024 * 1024
  let count = 0
  const write = () => {
    count += 1
    const metadata = { filler: 'x'.repeat(100_000) }
    return store.checkouts.recordRestored({ ...NEW_CHECKOUT, id: `row-${count}`, metadata }, CREATED_AT)
  }
  while ((await sizeOfLog()) < 12 * MEBIBYTE) await write()
  reader.exec('commit')
  for (let n = 0; n < 10; n++) await write()
  expect(await sizeOfLog()).toBeLessThan(8 * MEBIBYTE)
})

test('a missing folder of the database file is created', async () => {
  const path = join(await newFolder(), 'deep', 'er', 'shop.db')
  const store = await opened(path)
  await expect(store.ping()).resolves.toBeUndefined()
})

describe('a ping', () => {
  const SECOND = 1_000

  async function pinged() {
    const path = join(await newFolder(), 'shop.db')
    let time = Date.parse('2026-11-22T10:00:00Z')
    const store = await openStore(`sqlite:${path}`, { now: () => new Date(time) })
    onTestFinished(() => store.close())
    await store.ping()
    return {
      store,
      path,
      forward: (ms: number) => {
        time += ms
      },
    }
  }

  test('writes at most once in ten seconds', async () => {
    const { store, path, forward } = await pinged()
    const other = connection(path)
    // The number changes with each commit of another connection (sqlite.org/pragma.html#pragma_data_version).
    const version = () => other.prepare('pragma data_version').get()?.data_version
    const before = version()
    for (let n = 0; n < 9; n++) {
      forward(SECOND)
      await store.ping()
    }
    expect(version()).toBe(before)
    forward(SECOND)
    await store.ping()
    expect(version()).not.toBe(before)
  })

  test('a lock that is held for a moment does not fail it, one that is held for longer does', async () => {
    const { store, path, forward } = await pinged()
    const other = connection(path)
    other.exec('begin immediate')
    forward(20 * SECOND)
    const start = performance.now()
    await store.ping()
    expect(performance.now() - start).toBeLessThan(500)
    forward(20 * SECOND)
    expect(await codeOf(store.ping())).toBe('SQLITE_BUSY')
    other.exec('rollback')
    await expect(store.ping()).resolves.toBeUndefined()
  })

  test('a store that takes other rows and not that of a click fails it', async () => {
    const { store, path, forward } = await pinged()
    const other = connection(path)
    other.exec("create trigger full before insert on checkouts begin select raise(abort, 'no'); end")
    forward(20 * SECOND)
    expect(await codeOf(store.ping())).toMatch(/^SQLITE_/)
    other.exec('drop trigger full')
    await expect(store.ping()).resolves.toBeUndefined()
    expect(await store.checkouts.list({}, 9)).toEqual([])
  })

  test('a store that can be read and not written fails it', async () => {
    const folder = await newFolder()
    const path = join(folder, 'shop.db')
    await (await openStore(`sqlite:${path}`)).close()
    await chmod(folder, 0o777)
    await chmod(path, 0o444)
    const { lines, ended } = run('open-without-rights.ts', `sqlite:${path}`, 'ping')
    await ended
    expect(lines).toEqual(['SQLITE_READONLY'])
  })
})

test('stores in memory work, and share nothing', async () => {
  const [one, other] = [await opened(':memory:'), await opened(':memory:')]
  await one.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT)
  expect(await other.checkouts.find(NEW_CHECKOUT.id)).toBeUndefined()
})

test('tables are created once: a file that has them is opened unchanged', async () => {
  const path = join(await newFolder(), 'shop.db')
  const first = await openStore(`sqlite:${path}`)
  await first.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT)
  await first.close()
  const before = connection(path).prepare('select * from kysely_migration').all()
  const second = await opened(path)
  expect(await second.checkouts.find(NEW_CHECKOUT.id)).toBeDefined()
  expect(connection(path).prepare('select * from kysely_migration').all()).toEqual(before)
  expect(before.length).toBeGreaterThan(0)
})

test('a database that was created under a clock a year ahead counts as created when it is next opened', async () => {
  const path = join(await newFolder(), 'shop.db')
  const opened = async (time: string) => {
    const store = await openStore(`sqlite:${path}`, { now: () => new Date(time) })
    await store.close()
    return store.createdAt
  }
  expect(await opened('2027-05-01T10:00:00.000Z')).toBe('2027-05-01T10:00:00.000Z')
  expect(await opened('2026-05-01T10:00:00.000Z')).toBe('2026-05-01T10:00:00.000Z')
  // It was this clock that was behind.
  expect(await opened('2027-05-02T10:00:00.000Z')).toBe('2027-05-01T10:00:00.000Z')
})

test('stores that open the same new file at the same time all find its tables', async () => {
  const path = join(await newFolder(), 'shop.db')
  const stores = await Promise.all(Array.from({ length: 5 }, () => opened(path)))
  await Promise.all(
    stores.map((store, n) => store.checkouts.recordRestored({ ...NEW_CHECKOUT, id: `${n}` }, CREATED_AT)),
  )
  expect(await stores[0]?.checkouts.find('4')).toBeDefined()
})

test('two processes that write to one new file at the same time lose nothing', async () => {
  const path = join(await newFolder(), 'shop.db')
  const writers = ['left', 'right'].map((name) => run('write-checkouts.ts', `sqlite:${path}`, name, '150'))
  expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0])
  const store = await opened(path)
  for (const { lines } of writers) {
    expect(lines).toHaveLength(150)
    for (const id of lines) expect(await store.checkouts.find(id), id).toBeDefined()
  }
})

test('a process that is killed while it writes leaves every row that was confirmed', async () => {
  const path = join(await newFolder(), 'shop.db')
  for (const round of ['a', 'b', 'c']) {
    const { child, lines, ended } = run('write-checkouts.ts', `sqlite:${path}`, round, '1000000')
    while (lines.length < 40) await sleep(5)
    child.kill('SIGKILL')
    await ended
    const store = await openStore(`sqlite:${path}`)
    for (const id of lines) expect((await store.checkouts.find(id))?.state, id).toBe('creating')
    await store.close()
  }
  expect(connection(path).prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
})

describe('while another process holds the lock', () => {
  async function locked(): Promise<{ store: Store; path: string; unlock: () => void }> {
    const path = join(await newFolder(), 'shop.db')
    const store = await opened(path)
    const other = connection(path)
    other.exec('begin immediate')
    return { store, path, unlock: () => other.exec('rollback') }
  }

  test('a write waits, and is done when the lock is released', async () => {
    const { store, unlock } = await locked()
    const writing = store.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT)
    await sleep(200)
    unlock()
    await writing
    expect(await store.checkouts.find(NEW_CHECKOUT.id)).toBeDefined()
  })

  test('a write gives up after its second, and does not block the process meanwhile', async () => {
    const { store } = await locked()
    const start = performance.now()
    let maxPause = 0
    let last = start
    const heartbeat = setInterval(() => {
      maxPause = Math.max(maxPause, performance.now() - last)
      last = performance.now()
    }, 5)
    const code = await codeOf(store.checkouts.recordRestored(NEW_CHECKOUT, CREATED_AT))
    clearInterval(heartbeat)
    expect(code).toBe('SQLITE_BUSY')
    expect(performance.now() - start).toBeGreaterThan(900)
    expect(performance.now() - start).toBeLessThan(2_500)
    // The wait inside SQLite would have been one pause of the whole second.
    expect(maxPause).toBeLessThan(500)
  })

  test('reading goes on', async () => {
    const { store } = await locked()
    const start = performance.now()
    expect(await store.checkouts.find('nobody')).toBeUndefined()
    expect(performance.now() - start).toBeLessThan(900)
  })

  test('a new store on a file that has its tables opens', async () => {
    const { path } = await locked()
    await expect(opened(path)).resolves.toBeDefined()
  })
})

describe('opening fails with a code for', () => {
  test('a missing file that must exist, which is not made', async () => {
    const folder = join(await newFolder(), 'none')
    const failure = openStore(`sqlite:${folder}/shop.db`, { mustExist: true })
    await expect(failure).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
      explanation: expect.stringContaining(`${folder}/shop.db`),
    })
    expect(existsSync(folder)).toBe(false)
  })

  test('a file that holds something else', async () => {
    const path = join(await newFolder(), 'notes.txt')
    await writeFile(path, 'These are notes, and a hundred bytes of them. '.repeat(40))
    expect(await codeOf(openStore(`sqlite:${path}`))).toBe('SQLITE_NOTADB')
    expect(await readFile(path, 'utf8')).toMatch(/^These are notes/)
  })

  test('a folder', async () => {
    expect(await codeOf(openStore(`sqlite:${await newFolder()}`))).toBe('SQLITE_CANTOPEN')
  })

  test('a path through a file', async () => {
    const path = join(await newFolder(), 'file')
    await writeFile(path, '')
    expect(await codeOf(openStore(`sqlite:${join(path, 'shop.db')}`))).toMatch(/^(ENOTDIR|EEXIST)$/)
  })

  test('an empty file that must hold a database, which stays empty', async () => {
    const path = join(await newFolder(), 'shop.db')
    await writeFile(path, '')
    expect(await codeOf(openStore(`sqlite:${path}`, { mustExist: true }))).toBe('DATABASE_MISSING')
    expect(await readFile(path, 'utf8')).toBe('')
  })

  test('a database that a newer version has changed, with both versions, and leaves it as it is', async () => {
    const path = join(await newFolder(), 'shop.db')
    await (await openStore(`sqlite:${path}`)).close()
    const newer = connection(path)
    newer.exec("insert into kysely_migration (name, timestamp) values ('0999-from-the-future', 'now')")
    newer.close()
    const before = await readFile(path)
    const last = Object.keys(migrations).sort().at(-1)
    for (const mustExist of [false, true]) {
      await expect(openStore(`sqlite:${path}`, { mustExist })).rejects.toMatchObject({
        code: 'DATABASE_NEWER',
        explanation: expect.stringMatching(new RegExp(`${path}.*0999-from-the-future.*${last}`)),
      })
    }
    expect(await readFile(path)).toEqual(before)
  })

  test.each([
    ['create table notes (text text)'],
    ["create table kysely_migration (name text); insert into kysely_migration values ('2024-notes')"],
  ])('the database of another program (%s), and leaves it as it is', async (statement) => {
    const path = join(await newFolder(), 'notes.db')
    const other = connection(path)
    other.exec(statement)
    other.close()
    const before = await readFile(path)
    await expect(openStore(`sqlite:${path}`)).rejects.toMatchObject({
      code: 'DATABASE_FOREIGN',
      explanation: expect.stringContaining(path),
    })
    expect(await readFile(path)).toEqual(before)
  })

  test('a file that may only be read', async () => {
    const folder = await newFolder()
    const path = join(folder, 'shop.db')
    await (await openStore(`sqlite:${path}`)).close()
    await chmod(folder, 0o777)
    await chmod(path, 0o444)
    const { lines, ended } = run('open-without-rights.ts', `sqlite:${path}`)
    await ended
    expect(lines).toEqual(['SQLITE_READONLY'])
  })

  test('a folder that may not be entered', async () => {
    const folder = join(await newFolder(), 'shut')
    await mkdir(folder)
    await chmod(join(folder, '..'), 0o755)
    await chmod(folder, 0)
    const { lines, ended } = run('open-without-rights.ts', `sqlite:${join(folder, 'deep', 'shop.db')}`)
    await ended
    expect(lines).toEqual(['EACCES'])
  })

  test('a folder without write permission', async () => {
    const folder = join(await newFolder(), 'shut')
    await mkdir(folder)
    await chmod(join(folder, '..'), 0o755)
    await chmod(folder, 0o555)
    const { lines, ended } = run('open-without-rights.ts', `sqlite:${join(folder, 'shop.db')}`)
    await ended
    expect(lines).toEqual(['SQLITE_CANTOPEN'])
  })
})

test('the reason of a failure is kept for the log, and its message shows no path', async () => {
  const folder = await newFolder()
  const error: unknown = await openStore(`sqlite:${folder}`).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(StoreError)
  if (error instanceof StoreError) {
    expect(error.message).toBe('The store failed (SQLITE_CANTOPEN)')
    expect(error.cause).toBeInstanceOf(Error)
  }
})
