import { rename, rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { startService } from '../service.ts'

test('a database file that is deleted under the service is noticed, and costs no sale', async () => {
  const shop = await startService()
  expect((await shop.get('/readyz')).status).toBe(200)
  await rm(shop.databasePath)
  const answer = await shop.get('/buy/tee')
  expect(answer.status).toBe(302)
  expect(shop.log.filter(({ code }) => code === 'SQLITE_FILE_GONE')).not.toEqual([])
  const ready = await shop.get('/readyz')
  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ parts: { store: { code: 'SQLITE_FILE_GONE' } } })
})

test('a file that was moved away and comes back is the store again', async () => {
  const shop = await startService()
  await rename(shop.databasePath, `${shop.databasePath}.away`)
  expect((await shop.get('/readyz')).status).toBe(503)
  await rename(`${shop.databasePath}.away`, shop.databasePath)
  expect((await shop.get('/readyz')).status).toBe(200)
})
