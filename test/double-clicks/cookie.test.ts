import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startService } from '../service.ts'
import { returning, visit } from './visit.ts'

describe('the cookie', () => {
  async function flagsOf(env: Record<string, string>) {
    const shop = await startService({ env })
    const answer = await shop.get('/buy/tee')
    const [cookie = '', ...more] = answer.headers.getSetCookie()
    expect(more).toEqual([])
    const [pair = '', ...flags] = cookie.split('; ')
    const [name, value] = pair.split('=')
    return { name, value, flags: flags.sort() }
  }

  test('on http is a random value that scripts cannot read and other sites cannot send along with a form', async () => {
    const { name, value, flags } = await flagsOf({})
    expect([name, flags]).toEqual(['buyer', ['HttpOnly', 'Max-Age=10800', 'Path=/', 'SameSite=Lax']])
    expect(value).toMatch(/^[0-9a-f]{12}[A-Za-z0-9_-]{22}$/)
  })

  test('on https is limited to this host and to https', async () => {
    const { name, flags } = await flagsOf({ PUBLIC_URL: 'https://buy.shop.example' })
    expect(name).toBe('__Host-buyer')
    expect(flags).toEqual(['HttpOnly', 'Max-Age=10800', 'Path=/', 'SameSite=Lax', 'Secure'])
  })

  test('on https leads back to the same session', async () => {
    const { shop, first } = await returning({ env: { PUBLIC_URL: 'https://buy.shop.example' } })
    expect(first.cookie).toMatch(/^__Host-buyer=/)
    expect((await visit(shop, '/buy/tee', first.cookie)).to).toBe(first.to)
    // The name without the prefix, which another host of the domain could have set, is not ours.
    expect((await visit(shop, '/buy/tee', first.cookie.replace('__Host-', ''))).to).not.toBe(first.to)
  })

  test('lives as long as the session of the last click: each click sets it anew, with the same value', async () => {
    const { shop, first } = await returning()
    const answer = await shop.get('/buy/tee', { headers: { cookie: first.cookie } })
    expect(answer.headers.getSetCookie()).toHaveLength(1)
    expect(answer.headers.getSetCookie()[0]).toContain(`${first.cookie}; Max-Age=10800`)
  })

  test('is set by clicks alone, never by browsing, by previews or by HEAD', async () => {
    const shop = await startService()
    for (const path of ['/', '/products/tee', '/robots.txt', '/qr/tee.svg', '/buy']) {
      expect((await shop.get(path)).headers.getSetCookie()).toEqual([])
    }
    const bot = { headers: { 'user-agent': 'Twitterbot/1.0' } }
    expect((await shop.get('/buy/tee', bot)).headers.getSetCookie()).toEqual([])
    expect((await shop.get('/buy/tee', { method: 'HEAD' })).headers.getSetCookie()).toEqual([])
  })

  test('is in no log line and in no row of the store', async () => {
    const { shop, first } = await returning()
    const value = first.cookie.split('=')[1] ?? ''
    await visit(shop, '/buy/tee', first.cookie)
    expect(shop.logText()).not.toContain(value)
    const database = new DatabaseSync(shop.databasePath, { readOnly: true })
    onTestFinished(() => database.close())
    expect(JSON.stringify(database.prepare('select * from checkouts').all())).not.toContain(value)
  })
})
