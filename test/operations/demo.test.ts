import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../service.ts'
import { makeFolder, runServer } from './server-process.ts'

test('the demo takes the port, the catalog and the settings of the look', async () => {
  const port = await freePort()
  const folder = await makeFolder()
  const env = {
    // It is killed at the end, and leaves what it has stored.
    TMPDIR: folder,
    PORT: String(port),
    CATALOG_PATH: resolve('catalog.json'),
    MERCHANT_NAME: 'Käse und Söhne',
    SUPPORT_EMAIL: 'help@shop.example',
    ACCENT_COLOR: '#aa0000',
    LOGO_URL: 'https://shop.example/logo.svg',
    LEGAL_LINKS: 'Impressum=https://shop.example/impressum',
  }
  const { output } = runServer(env, folder, resolve('src/demo.ts'))
  await expect.poll(output, { timeout: 30_000 }).toContain(`http://localhost:${port}/buy/tee-black-m`)
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
  expect(page).toContain('Käse und Söhne')
  expect(page).toContain('https://shop.example/logo.svg')
  expect(page).toContain('https://shop.example/impressum')
})
