import { expect, test } from 'vitest'
import { startService } from '../service.ts'

test.each(['/buy/%zz', '/buy/tee%', '/buy/%FF', '/nowhere', '/buy/unknown'])(
  'repeated requests for %s use up the allowance of checkouts',
  async (path) => {
    const shop = await startService({ env: { RATE_LIMIT_MAX: '2' } })
    const statuses: number[] = []
    for (let attempt = 0; attempt < 3; attempt++) statuses.push((await shop.get(path)).status)
    expect(statuses.slice(0, 2)).not.toContain(429)
    expect(statuses[2]).toBe(429)
    expect((await shop.get('/buy/tee')).status).toBe(429)
    expect((await shop.get('/')).status).toBe(200)
  },
)
