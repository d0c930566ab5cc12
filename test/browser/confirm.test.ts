import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { REQUIRE_ALL } from '../reporter.ts'
import { startService } from '../service.ts'
import { HAS_CHROMIUM, launchChromium } from './chromium.ts'

/** Without images, which would be on other machines. */
const PRODUCTS = [
  { sku: 'tee', name: 'Black T-shirt, M', amount: 2500 },
  { sku: 'print', name: 'Print', amount: 6500, confirm: true },
  { sku: 'mug', name: 'Mug', amount: 1200, adjustable_quantity: { minimum: 2, maximum: 6 } },
]

describe.skipIf(!HAS_CHROMIUM && !REQUIRE_ALL)(
  'buttons in a real browser without JavaScript',
  { meta: { switchedOnBy: 'apt-get install chromium' } },
  () => {
    let browser: Browser

    beforeAll(async () => {
      browser = await launchChromium()
    })

    afterAll(async () => {
      await browser?.close()
    })

    async function openTab(env: Record<string, string> = {}) {
      const shop = await startService({ products: PRODUCTS, env })
      const context = await browser.newContext({ locale: 'en-US', javaScriptEnabled: false })
      onTestFinished(() => context.close())
      const page = await context.newPage()
      const problems: string[] = []
      // A form that the content security policy blocks is reported on the console.
      page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`))
      page.on('requestfailed', (request) =>
        problems.push(`${request.url()}: ${request.failure()?.errorText}`),
      )
      return { shop, page, problems }
    }

    test.each([
      ['LINK_PROTECTION=confirm', '/buy/tee:2?utm_source=mail', { LINK_PROTECTION: 'confirm' }, '$50.00'],
      ['a product with confirm', '/buy/print', {}, '$65.00'],
      ['a cart with one such product', '/buy/tee:1,print:1', {}, '$90.00'],
    ])(
      '%s: a page with one button, and the button leads to the hosted checkout',
      async (_what, path, env, total) => {
        const { shop, page, problems } = await openTab({ ...env })
        await page.goto(shop.url + path)
        expect(await page.textContent('h1')).toBe('Is this your order?')
        expect(await page.textContent('main')).toContain(total)
        expect(await page.getByRole('button').count()).toBe(1)
        await page.reload()
        expect(sessionsOf(shop)).toEqual([])
        await page.getByRole('button', { name: 'Continue to the checkout' }).click()
        await page.waitForURL('**/checkout/*')
        expect(page.url()).toBe(sessionsOf(shop)[0]?.checkout_session_url)
        expect(await page.textContent('main')).toContain(total)
        expect(sessionsOf(shop)).toHaveLength(1)
        expect(problems).toEqual([])
      },
    )

    test('going back from the checkout and pressing the button again leads to the same session', async () => {
      const { shop, page, problems } = await openTab()
      await page.goto(`${shop.url}/buy/print`)
      await page.getByRole('button', { name: 'Continue to the checkout' }).click()
      await page.waitForURL('**/checkout/*')
      const checkout = page.url()
      await page.goBack()
      await page.getByRole('button', { name: 'Continue to the checkout' }).click()
      await page.waitForURL('**/checkout/*')
      expect(page.url()).toBe(checkout)
      expect(sessionsOf(shop)).toHaveLength(1)
      expect(problems).toEqual([])
    })

    test('the product page sells the quantity that was chosen', async () => {
      const { shop, page, problems } = await openTab()
      await page.goto(`${shop.url}/products/tee`)
      await page.getByLabel('Quantity').fill('3')
      await page.getByRole('button', { name: 'Buy' }).click()
      await page.waitForURL('**/checkout/*')
      expect(await page.textContent('main')).toContain('$75.00')
      expect(sessionsOf(shop)).toHaveLength(1)
      expect(problems).toEqual([])
    })

    test('the saved cart is checked out from the shop window', async () => {
      const { shop, page, problems } = await openTab()
      await page.goto(`${shop.url}/buy/tee:2?continue_to=/`)
      expect(page.url()).toBe(`${shop.url}/`)
      expect(await page.textContent('main')).toContain('Your selection')
      expect(sessionsOf(shop)).toEqual([])
      await page.getByRole('button', { name: 'Check out' }).click()
      await page.waitForURL('**/checkout/*')
      expect(await page.textContent('main')).toContain('$50.00')
      // It is not paid yet.
      await page.goto(`${shop.url}/products/tee`)
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 800 })
        const [selection, product] = await page
          .locator('main > .card')
          .evaluateAll((cards) =>
            cards.map((card) => card.getBoundingClientRect()).map(({ top, bottom }) => ({ top, bottom })),
          )
        expect((product?.top ?? 0) - (selection?.bottom ?? 0)).toBeGreaterThanOrEqual(16)
      }
      await page.getByRole('button', { name: 'Remove' }).click()
      expect(page.url()).toBe(`${shop.url}/products/tee`)
      expect(await page.textContent('main')).not.toContain('Your selection')
      expect(problems).toEqual([])
    })

    test('after too many attempts the button comes when the time is over, and leads to the same purchase', async () => {
      const { shop, page } = await openTab({ RATE_LIMIT_MAX: '1', RATE_LIMIT_WINDOW: '2' })
      await shop.get('/buy/mug')
      await page.goto(`${shop.url}/buy/tee:3?utm_source=news`)
      const button = page.getByRole('link', { name: 'Try again' })
      expect(await button.isVisible()).toBe(false)
      await button.waitFor({ state: 'visible' })
      await button.click()
      await page.waitForURL('**/checkout/*')
      expect(lastAsked(shop)).toMatchObject({
        line_items: [{ quantity: 3 }],
        metadata: { utm_source: 'news' },
      })
    })

    test('a quantity that cannot be sold is mended on the page', async () => {
      const { shop, page, problems } = await openTab()
      await page.goto(`${shop.url}/buy/mug?quantity=30&email=jane@example.com`)
      expect(await page.getByRole('spinbutton').inputValue()).toBe('6')
      await page.getByRole('button', { name: 'Buy' }).click()
      await page.waitForURL('**/checkout/*')
      expect(lastAsked(shop)).toMatchObject({
        line_items: [{ quantity: 6 }],
        customer_email: 'jane@example.com',
      })
      expect(problems.filter((problem) => !problem.includes('400'))).toEqual([])
    })
  },
)
