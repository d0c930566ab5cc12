import { expect, test } from 'vitest'
import { startService } from '../service.ts'

test('a click opens one session and redirects to the hosted checkout', async () => {
  const shop = await startService()
  const answer = await shop.get('/buy/tee')
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toMatch(/^http:\/\/localhost:\d+\/checkout\//)
  expect(shop.sandbox.sessions.size).toBe(1)
})
