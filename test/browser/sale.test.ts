import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { sessionsOf } from '../checkout/clicks.ts'
import { REQUIRE_ALL } from '../reporter.ts'
import { startService } from '../service.ts'
import { HAS_CHROMIUM, launchChromium } from './chromium.ts'

/** Without images, which would be on other machines. */
const PRODUCTS = [
  {
    sku: 'tee',
    name: 'Black T-shirt, M',
    amount: 2500,
    after_completion: { custom_message: 'See you soon.' },
  },
  { sku: 'mug', name: 'Mug', amount: 1200 },
]

describe.skipIf(!HAS_CHROMIUM && !REQUIRE_ALL)(
  'a sale in a real browser',
  { meta: { switchedOnBy: 'apt-get install chromium' } },
  () => {
    let browser: Browser

    beforeAll(async () => {
      browser = await launchChromium()
    })

    afterAll(async () => {
      await browser?.close()
    })

    /** A shop and a tab of its own, and every problem that the browser reports in it. */
    async function openShop() {
      const shop = await startService({ products: PRODUCTS })
      const context = await browser.newContext({ locale: 'en-US' })
      onTestFinished(() => context.close())
      const page = await context.newPage()
      const problems: string[] = []
      page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`))
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('requestfailed', (request) =>
        problems.push(`${request.url()}: ${request.failure()?.errorText}`),
      )
      page.on('response', (response) => {
        if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`)
      })
      await page.goto(`${shop.url}/`)
      return { shop, page, problems }
    }

    test('from the shop window to the paid page', async () => {
      const { shop, page, problems } = await openShop()
      await page.getByRole('link', { name: 'Buy Black T-shirt, M' }).click()
      await page.waitForURL(`${new URL(shop.sandbox.url).protocol}//localhost:*/checkout/*`)
      expect(await page.textContent('main')).toContain('$25.00')
      await page.getByLabel('Email (optional)').fill('jane@example.com')
      await page.getByRole('button', { name: 'Pay $25.00' }).click()
      await page.waitForURL(`${shop.url}/success?checkout=*`)
      expect(await page.textContent('h1')).toBe('Thank you. Your payment is complete.')
      const text = await page.textContent('body')
      for (const part of ['Black T-shirt, M', '$25.00', 'See you soon.']) expect(text).toContain(part)
      expect(text).not.toContain('jane')
      expect(sessionsOf(shop).map(({ status }) => status)).toEqual(['complete'])
      expect(problems).toEqual([])
    })

    test('cancelled, and back to the same open session', async () => {
      const { shop, page, problems } = await openShop()
      await page.getByRole('link', { name: 'Buy Mug' }).click()
      await page.waitForURL('**/checkout/*')
      const checkout = page.url()
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.waitForURL(`${shop.url}/cancel?checkout=*`)
      expect(await page.textContent('body')).toContain('You have not been charged.')
      await page.getByRole('link', { name: 'Back to the checkout' }).click()
      await page.waitForURL('**/checkout/*')
      expect(page.url()).toBe(checkout)
      await page.getByRole('button', { name: 'Pay $12.00' }).click()
      await page.waitForURL(`${shop.url}/success?checkout=*`)
      expect(sessionsOf(shop)).toHaveLength(1)
      expect(problems).toEqual([])
    })

    test('with the keyboard only', async () => {
      const { shop, page, problems } = await openShop()
      await tabTo(page, 'Buy Black T-shirt, M')
      await page.keyboard.press('Enter')
      await page.waitForURL('**/checkout/*')
      await tabTo(page, 'Pay $25.00')
      await page.keyboard.press('Enter')
      await page.waitForURL(`${shop.url}/success?checkout=*`)
      expect(await page.textContent('h1')).toContain('Your payment is complete.')
      await tabTo(page, 'Go to the shop')
      await page.keyboard.press('Enter')
      await page.waitForURL(`${shop.url}/`)
      expect(problems).toEqual([])
    })

    test('the page of an unfinished payment finds the payment by itself', async () => {
      const { shop, page, problems } = await openShop()
      await page.getByRole('link', { name: 'Buy Mug' }).click()
      await page.waitForURL('**/checkout/*')
      const [session] = sessionsOf(shop)
      if (session === undefined) throw new Error('no session was opened')
      await page.goto(session.success_url)
      expect(await page.textContent('h1')).toBe('Your payment is not finished yet')
      await shop.sandbox.pay(session.id)
      await page.getByRole('heading', { name: 'Your payment is complete' }).waitFor()
      expect(problems).toEqual([])
    })
  },
)

/** Presses Tab until the focus is on what has this text; fails where it is not to be reached. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let press = 0; press < 20; press++) {
    await page.keyboard.press('Tab')
    if ((await page.locator(':focus').textContent())?.trim() === name) return
  }
  throw new Error(`the keyboard does not reach "${name}"`)
}
