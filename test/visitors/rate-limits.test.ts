import { expect, onTestFinished, test, vi } from 'vitest'
import { startService } from '../service.ts'

/** Changes the time of day of this process; it is right again when the test is over. */
function setClock(minutes: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 })
  onTestFinished(() => void vi.useRealTimers())
}

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

test.each([-10, 10])(
  'after the clock is set by %i minutes, a window still lasts its length',
  async (minutes) => {
    const short = await startService({ env: { RATE_LIMIT_MAX: '1', RATE_LIMIT_WINDOW: '1' } })
    const long = await startService({ env: { RATE_LIMIT_MAX: '2', RATE_LIMIT_WINDOW: '300' } })
    for (const shop of [short, long]) expect((await shop.get('/buy/tee')).status).toBe(302)
    setClock(minutes)
    expect((await long.get('/buy/tee')).status).toBe(302)
    const refused = await long.get('/buy/tee')
    expect(refused.status).toBe(429)
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(200)
    expect(seconds).toBeLessThanOrEqual(300)
    await expect.poll(async () => (await short.get('/buy/tee')).status).toBe(302)
  },
)
