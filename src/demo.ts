import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from './app.ts'
import { loadConfig } from './config.ts'
import { printItem } from './links/cart.ts'
import { startSandbox } from './sandbox/sandbox.ts'
import { stopOnSignals } from './stop-on-signals.ts'

const SHOP_PORT = 3000
const SANDBOX_PORT = 4010

/** The service and a Dots sandbox side by side: no account, no settings, nothing kept. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dots-buy-links-demo-'))
  const credentials = { clientId: 'demo-client', apiKey: 'demo-key' }
  const sandbox = await startSandbox({ ...credentials, port: await freePort(SANDBOX_PORT) })
  const port = await freePort(SHOP_PORT)
  const config = await loadConfig({
    DOTS_CLIENT_ID: credentials.clientId,
    DOTS_API_KEY: credentials.apiKey,
    DOTS_API_URL: sandbox.url,
    PORT: String(port),
    HOST: '127.0.0.1',
    DATABASE_URL: `sqlite:${join(folder, 'demo.db')}`,
    MERCHANT_NAME: 'Demo shop',
    LOG_LEVEL: 'warn',
  })
  const app = await buildApp(config)
  app.addHook('onClose', async () => {
    await sandbox.close()
    rmSync(folder, { recursive: true, force: true })
  })
  stopOnSignals(app)
  await app.listen({ host: config.host, port })
  const [first] = app.catalog.current.products
  console.log(`
The demo shop is open. No money moves: Dots is played by a sandbox on this machine.

  Shop window   ${config.publicUrl}/
  A buy link    ${config.publicUrl}/buy/${first === undefined ? '' : printItem(first.sku)}

Open one of them, choose Buy, then Pay. Press Ctrl+C to stop.`)
}

/** The wished port, or any free one where somebody else has it. */
async function freePort(wish: number): Promise<number> {
  for (const port of [wish, 0]) {
    const probe = createServer()
    try {
      probe.listen(port, '127.0.0.1')
      await once(probe, 'listening')
      const address = probe.address()
      if (address !== null && typeof address === 'object') return address.port
    } catch {
      // Taken: the next wish is "any".
    } finally {
      probe.close()
    }
  }
  throw new Error('no free port')
}

await main()
