import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CREDENTIALS } from '../service.ts'
import { deploy, makeFolder, runServer } from './server-process.ts'

test('without settings the server exits 1 and lists all that is missing', async () => {
  const server = runServer({}, await makeFolder())
  expect(await server.ended).toEqual({ code: 1, signal: null })
  const [line, ...more] = server.log()
  expect(more).toEqual([])
  const problems = String(line?.problems)
  for (const name of ['DOTS_CLIENT_ID', 'DOTS_API_KEY']) expect(problems).toContain(name)
  expect(server.output()).not.toContain('"stack"')
})

test('every wrong setting is named at once, and none of their values', async () => {
  const wrong = {
    DOTS_CLIENT_ID: 'has:colon-v1',
    DOTS_API_KEY: '',
    DOTS_API_URL: 'http://plain-v2.example',
    PUBLIC_URL: 'ftp://v3.example',
    PORT: 'v4',
    CHECKOUT_EXPIRES_IN: '10800',
    TRUST_PROXY: 'true',
    RATE_LIMIT_MAX: '0',
    LINK_PROTECTION: 'v5',
    FULFILLMENT_URL: 'https://v6.example',
    LOG_LEVEL: 'v7',
  }
  const server = runServer(wrong, await makeFolder())
  expect(await server.ended).toEqual({ code: 1, signal: null })
  const [line] = server.log()
  const problems: unknown = line?.problems
  if (!Array.isArray(problems)) throw new Error(server.output())
  for (const name of [
    ...Object.keys(wrong).filter((name) => name !== 'FULFILLMENT_URL'),
    'FULFILLMENT_SECRET',
  ])
    expect(problems.filter((problem) => String(problem).startsWith(name))).toHaveLength(1)
  expect(server.output()).not.toMatch(/v[1-7]\b/)
})

test('secrets come from files; a secret that is set twice stops the start', async () => {
  const { env, folder, start, get } = await deploy()
  const keyFile = join(folder, 'api-key')
  await writeFile(keyFile, `${CREDENTIALS.apiKey}\n`)
  await start({ DOTS_API_KEY: '', DOTS_API_KEY_FILE: keyFile })
  expect((await get('/buy/tee')).status).toBe(302)

  const twice = runServer({ ...env, DOTS_API_KEY_FILE: keyFile }, folder)
  expect((await twice.ended).code).toBe(1)
  expect(twice.output()).toContain('DOTS_API_KEY and DOTS_API_KEY_FILE are both set')
  expect(twice.output()).not.toContain(CREDENTIALS.apiKey)
})

test('settings come from .env, the environment beats it, and what is empty counts as absent', async () => {
  const { env, folder, start, get } = await deploy()
  await writeFile(
    join(folder, '.env'),
    `DOTS_CLIENT_ID=${CREDENTIALS.clientId}\nMERCHANT_NAME=From the file\nSUPPORT_EMAIL=shop@example.com\n`,
  )
  await start({ DOTS_CLIENT_ID: '', SUPPORT_EMAIL: '', MERCHANT_NAME: 'From outside', DOTS_APP_ID: '' })
  expect(env.DOTS_CLIENT_ID).toBe(CREDENTIALS.clientId)
  const page = await (await get('/')).text()
  expect(page).toContain('From outside')
  expect(page).toContain('shop@example.com')
  expect((await get('/buy/tee')).status).toBe(302)
})

test('a broken catalog stops the start with every problem, by its place', async () => {
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

test.each([
  ['is not there', undefined],
  ['is no JSON', '{"products": ['],
])('a catalog that %s stops the start in one line', async (_what, text) => {
  const { env, folder } = await deploy()
  const path = join(folder, 'other.json')
  if (text !== undefined) await writeFile(path, text)
  const server = runServer({ ...env, CATALOG_PATH: path }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()).toHaveLength(1)
  expect(server.output()).not.toContain('"stack"')
})

test('a store that cannot be opened stops the start in one line', async () => {
  const { env, folder, catalogPath } = await deploy()
  const server = runServer({ ...env, DATABASE_URL: `sqlite:${catalogPath}` }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()).toHaveLength(1)
  expect(server.log()[0]).toMatchObject({ code: 'SQLITE_NOTADB' })
  expect(server.output()).not.toContain('"stack"')
})

test('what is weak or without effect is told once at the start, and the shop opens', async () => {
  const { start } = await deploy()
  const server = await start({ LINK_SIGNING_SECRET: 'hunter2', ADMIN_TOKEN: 'hunter3' })
  const told = () => server.log().filter(({ level }) => level === 40)
  await expect
    .poll(() => told().map(({ msg }) => String(msg).split(':')[0]))
    .toEqual([
      'DOTS_WEBHOOK_SECRET is not set',
      'LINK_SIGNING_SECRET is weak',
      'ADMIN_TOKEN has no effect',
      'ADMIN_TOKEN is weak',
    ])
  expect(server.output()).not.toContain('hunter')
})

test('a port that somebody else has stops the start in one line', async () => {
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
