import { expect, test } from 'vitest'
import { stylesheet, stylesheetPath } from '../../src/pages/stylesheet.ts'
import { readTags } from '../pages/markup.ts'
import { startService } from '../service.ts'

test('every page links the stylesheet under its hash, where it is cached for ever', async () => {
  const shop = await startService({ env: { ACCENT_COLOR: '#aa3300' } })
  const page = await (await shop.get('/')).text()
  const path = readTags(page).find(({ attributes }) => attributes.rel === 'stylesheet')?.attributes.href
  expect(path).toBe(stylesheetPath({ name: '', publicUrl: shop.url, accentColor: '#aa3300' }))
  const answer = await shop.get(path ?? '')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/css; charset=utf-8')
  expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  expect(await answer.text()).toBe(stylesheet('#aa3300'))
})

test('the stylesheet name of another version serves the current stylesheet, which is not cached', async () => {
  const shop = await startService()
  const answer = await shop.get('/assets/style-0123456789abcdef.css')
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-cache'])
  expect(await answer.text()).toBe(stylesheet())
})

test('other asset names are not found', async () => {
  const shop = await startService()
  for (const file of ['style-.css', 'style-xyz.css', 'other.css', '..%2f..%2fpackage.json']) {
    expect(`${file} ${(await shop.get(`/assets/${file}`)).status}`).toBe(`${file} 404`)
  }
})

test('the icon of the shop does not count against the limit of buy links', async () => {
  const shop = await startService({
    env: { RATE_LIMIT_MAX: '1', MERCHANT_NAME: 'élan <&', ACCENT_COLOR: '#ffdd00' },
  })
  for (const path of ['/favicon.ico', '/favicon.svg', '/favicon.svg']) {
    const answer = await shop.get(path)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/svg+xml'])
    expect(await answer.text()).toMatch(/fill="#ffdd00"[\s\S]*>É<\/text>/)
  }
  expect(await (await shop.get('/')).text()).toContain('<link rel="icon" href="/favicon.svg">')
  expect((await shop.get('/buy/tee')).status).toBe(302)
})
