import { rename, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startService } from '../service.ts'

test('a database file that is deleted under the service is noticed, and costs no sale', async () => {
  const shop = await startService()
  expect((await shop.get('/readyz')).status).toBe(200)
  await rm(shop.databasePath)
  // A click looks at the file once a second.
  await sleep(1_000)
  const answer = await shop.get('/buy/tee')
  expect(answer.status).toBe(302)
  expect(shop.log.filter(({ code }) => code === 'DATABASE_FILE_REPLACED')).not.toEqual([])
  const ready = await shop.get('/readyz')
  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ parts: { store: { code: 'DATABASE_FILE_REPLACED' } } })
})

test('a file that was moved away and comes back is used again', async () => {
  const shop = await startService()
  await rename(shop.databasePath, `${shop.databasePath}.away`)
  expect((await shop.get('/readyz')).status).toBe(503)
  await rename(`${shop.databasePath}.away`, shop.databasePath)
  expect((await shop.get('/readyz')).status).toBe(200)
})
