import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../src/store/open-store.ts'
import { CREDENTIALS } from '../service.ts'
import { deploy, makeFolder, runServer } from './server-process.ts'

test('wrong and missing settings stop the start: one line names them all, and none of their values', async () => {
  const wrong = { DOTS_CLIENT_ID: 'has:colon-v1', PORT: 'v2', LOG_LEVEL: 'v3' }
  const server = runServer(wrong, await makeFolder())
  expect(await server.ended).toEqual({ code: 1, signal: null })
  expect(server.log()).toHaveLength(1)
  const problems = JSON.stringify(server.log()[0]?.problems)
  for (const name of [...Object.keys(wrong), 'DOTS_API_KEY']) expect(problems).toContain(name)
  expect(server.output()).not.toMatch(/v[1-3]\b|"stack"/)
})

test('wrong settings and a wrong catalog are listed in one go', async () => {
  const { env, folder } = await deploy([{ sku: 'tee', name: 'Tee', amount: 0 }])
  const server = runServer({ ...env, PORT: 'x', LINK_SIGNING_SECRET: 'hunter2' }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()).toHaveLength(1)
  const problems = JSON.stringify(server.log()[0]?.problems)
  for (const part of ['PORT', 'LINK_SIGNING_SECRET', '/products/0/amount']) expect(problems).toContain(part)
  expect(server.output()).not.toContain('hunter2')
})

test('a service without PUBLIC_URL starts beside a Dots on this machine alone', async () => {
  const { env, folder, start, get } = await deploy()
  await start()
  expect(await (await get('/products/tee')).text()).toContain(`http://localhost:${env.PORT}/`)
  const server = runServer({ ...env, DOTS_API_URL: 'https://dots.example/api' }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()[0]?.problems).toEqual([expect.stringMatching(/^PUBLIC_URL is required/)])
})

test('a relative path of the database starts at the working directory, and the log has the whole path', async () => {
  const { folder, start } = await deploy()
  const server = await start({ DATABASE_URL: ' sqlite:data/shop.db\r' })
  const started = () => server.log().find(({ event }) => event === 'server.listening')
  await expect.poll(() => started()?.database).toBe(join(folder, 'data', 'shop.db'))
  expect(existsSync(join(folder, 'data', 'shop.db'))).toBe(true)
})

test('settings come from .env in the working directory and from secret files, and the environment wins', async () => {
  const { folder, start, get } = await deploy()
  const keyFile = join(folder, 'api-key')
  await writeFile(keyFile, `${CREDENTIALS.apiKey}\n`)
  await writeFile(join(folder, '.env'), 'MERCHANT_NAME=From the file\nSUPPORT_EMAIL=shop@example.com\n')
  await start({ DOTS_API_KEY: '', DOTS_API_KEY_FILE: keyFile, MERCHANT_NAME: 'From outside' })
  const page = await (await get('/')).text()
  expect(page).toContain('From outside')
  expect(page).toContain('shop@example.com')
  expect((await get('/buy/tee')).status).toBe(302)
})

test('a broken catalog stops the start with every problem and its pointer', async () => {
  const products = [
    { sku: 'tee', name: 'Tee', amount: 0 },
    { sku: 'tee', name: 'Tee', amount: 100, colour: 'red' },
  ]
  const { env, folder } = await deploy(products)
  const server = runServer(env, folder)
  expect((await server.ended).code).toBe(1)
  const [line] = server.log()
  const problems = JSON.stringify(line?.problems)
  for (const pointer of ['/products/0/amount', '/products/1/colour', '/products/1/sku'])
    expect(problems).toContain(pointer)
  expect(server.output()).not.toContain('"stack"')
})

test('a store that cannot be opened stops the start in one line', async () => {
  const { env, folder, catalogPath } = await deploy()
  const server = runServer({ ...env, DATABASE_URL: `sqlite:${catalogPath}` }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()).toHaveLength(1)
  expect(server.log()[0]).toMatchObject({
    code: 'SQLITE_NOTADB',
    msg: expect.stringContaining(`${catalogPath} is no SQLite database: correct DATABASE_URL`),
  })
  expect(server.output()).not.toContain('"stack"')
})

test('a damaged database stops the start with its path and what to do', async () => {
  const { env, folder } = await deploy()
  const path = join(folder, 'shop.db')
  await (await openStore(`sqlite:${path}`)).close()
  await writeFile(path, (await readFile(path)).fill(0x5a, 100))
  const server = runServer({ ...env, DATABASE_URL: `sqlite:${path}` }, folder)
  expect((await server.ended).code).toBe(1)
  const msg = expect.stringContaining(`${path} is damaged: put back a backup`)
  expect(server.log()).toMatchObject([{ event: 'store.open.failed', code: 'SQLITE_CORRUPT', msg }])
})

test('a full disk stops the start with the path, and the owner and mode of the file', async () => {
  const { env, folder, databasePath } = await deploy()
  // No file may grow beyond a few KiB.
  const within = ['sh', '-c', 'ulimit -f 16; exec "$@"', 'sh']
  const server = runServer(env, folder, undefined, within)
  expect((await server.ended).code).toBe(1)
  const msg = expect.stringMatching(
    `${databasePath}: the disk is full or fails; ${databasePath} belongs to user .* and has mode 0600`,
  )
  const code = expect.stringMatching(/^SQLITE_(?:FULL|IOERR)$/)
  expect(server.log()).toMatchObject([{ event: 'store.open.failed', code, msg }])
})

test('a database folder that cannot be made stops the start at once, with the path', async () => {
  const { env, folder, catalogPath } = await deploy()
  // A folder of /proc answers ENOENT to whoever makes one in it.
  const beyond = process.platform === 'linux' ? ['/proc/nowhere/shop.db'] : []
  for (const path of [...beyond, `${catalogPath}/data/shop.db`]) {
    const server = runServer({ ...env, DATABASE_URL: `sqlite:${path}` }, folder)
    expect((await server.ended).code).toBe(1)
    expect(server.log()).toMatchObject([{ event: 'store.open.failed', msg: expect.stringContaining('/') }])
  }
})

test('weak settings and settings without effect are warned about once, and the service starts', async () => {
  const { start } = await deploy()
  const server = await start({ ADMIN_TOKEN: 'hunter3' })
  const warnings = () => server.log().filter(({ level }) => level === 40)
  await expect
    .poll(() => warnings().map(({ msg }) => String(msg).split(':')[0]))
    .toEqual([
      'DOTS_WEBHOOK_SECRET is not set',
      'FULFILLMENT_URL is not set',
      'ADMIN_TOKEN has no effect',
      'ADMIN_TOKEN is weak',
    ])
  expect(server.output()).not.toContain('hunter')
})

test('a port in use stops the start in one line', async () => {
  const { env, folder } = await deploy()
  const holder = createServer().listen(Number(env.PORT), '127.0.0.1')
  onTestFinished(() => void holder.close())
  const server = runServer(env, folder)
  expect((await server.ended).code).toBe(1)
  const failures = server.log().filter(({ level }) => Number(level) >= 40)
  expect(failures).toHaveLength(1)
  expect(failures[0]).toMatchObject({ code: 'EADDRINUSE' })
  expect(server.output()).not.toContain('"stack"')
})
