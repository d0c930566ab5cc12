import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { buildApp } from '../../src/app.ts'
import { openStore } from '../../src/store/open-store.ts'
import { CREDENTIALS, startService } from '../service.ts'

const threadFile = new URL('./mortal-thread.ts', import.meta.url)

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-thread-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a thread that dies is a store that is down, and is started again', async () => {
  const path = join(await makeFolder(), 'shop.db')
  const store = await openStore(`sqlite:${path}`, { threadFile })
  onTestFinished(() => store.close())
  await store.savedCarts.save('browser-1', { items: 'tee:1', fields: [] }, [])
  for (let death = 0; death < 2; death += 1) {
    writeFileSync(`${path}.die`, '')
    const ping = () =>
      store.ping().then(
        () => 'well',
        ({ code }) => code,
      )
    await expect.poll(ping, { interval: 10 }).toBe('DATABASE_THREAD_DIED')
    await expect.poll(ping).toBe('well')
    expect(await store.savedCarts.find('browser-1', '2020')).toMatchObject({ items: 'tee:1' })
  }
})

test('sales go on while the thread is dead, and their rows are written afterwards', async () => {
  const { env, sandbox } = await startService()
  const folder = await makeFolder()
  const path = join(folder, 'shop.db')
  const lines: string[] = []
  const { app } = await buildApp(
    { ...env, DATABASE_URL: `sqlite:${path}` },
    { storeOptions: { threadFile }, logDestination: { write: (line) => void lines.push(line) } },
  )
  onTestFinished(() => app.close())
  const click = () => app.inject('/buy/tee')
  expect((await click()).statusCode).toBe(302)
  writeFileSync(`${path}.die`, '')
  const ready = async () => (await app.inject('/readyz')).statusCode
  await expect.poll(ready, { interval: 10 }).toBe(503)
  const answer = await click()
  expect(answer.statusCode).toBe(302)
  expect(lines.join('')).toContain('DATABASE_THREAD_DIED')
  expect(lines.join('')).not.toContain(CREDENTIALS.apiKey)
  await expect.poll(ready).toBe(200)

  const session = [...sandbox.sessions.values()].find(
    ({ checkout_session_url: url }) => url === answer.headers.location,
  )
  if (session === undefined) throw new Error('the click led to no session')
  await sandbox.pay(session.id)
  const page = await app.inject(`/success?checkout=${session.metadata?.checkout_id}`)
  expect(page.body).toContain('Thank you')
})
