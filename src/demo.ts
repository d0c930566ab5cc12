import './node-version.js'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from './app.ts'
import { stopOnSignals } from './http/shutdown.ts'
import { encodeSku } from './links/cart.ts'
import { startSandbox } from './sandbox/sandbox.ts'

const DEFAULT_PORT = '3000'
const SANDBOX_PORT = 4010

/** The service beside a Dots sandbox, without an account or settings. What it stores is deleted when it stops. */
async function main(): Promise<void> {
  const { PORT, CATALOG_PATH, MERCHANT_NAME, SUPPORT_EMAIL, ACCENT_COLOR, LOGO_URL, LEGAL_LINKS } =
    process.env
  const wanted = PORT || DEFAULT_PORT
  if (!/^\d{1,5}$/.test(wanted) || Number(wanted) > 65_535) throw new Error('PORT must be a port number.')
  const folder = mkdtempSync(join(tmpdir(), 'dots-buy-links-demo-'))
  const credentials = { clientId: 'demo-client', apiKey: 'demo-key' }
  const sandbox = await startSandbox({ ...credentials, port: await freePort(SANDBOX_PORT) })
  const cleanUp = async () => {
    await sandbox.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const port = await freePort(Number(wanted))
    const { app, services } = await buildApp({
      DOTS_CLIENT_ID: credentials.clientId,
      DOTS_API_KEY: credentials.apiKey,
      DOTS_API_URL: sandbox.url,
      CATALOG_PATH,
      PORT: String(port),
      HOST: '127.0.0.1',
      DATABASE_URL: `sqlite:${join(folder, 'demo.db')}`,
      MERCHANT_NAME: MERCHANT_NAME || 'Demo shop',
      SUPPORT_EMAIL,
      ACCENT_COLOR,
      LOGO_URL,
      LEGAL_LINKS,
      LOG_LEVEL: 'warn',
    })
    const { config, catalog, dots } = services
    app.addHook('onClose', cleanUp)
    stopOnSignals(app, { abortCalls: () => dots.abort() })
    await app.listen({ host: config.host, port })
    const [first] = catalog.current.products
    console.log(`
The demo shop is running. No real money is involved: a sandbox on this machine takes the place of Dots.

  Shop window   ${config.shop.publicUrl}/
  A buy link    ${config.shop.publicUrl}/buy/${first === undefined ? '' : encodeSku(first.sku)}

Open one of them, choose Buy, then Pay. Press Ctrl+C to stop.`)
  } catch (error) {
    await cleanUp()
    throw error
  }
}

/** The preferred port, or any free one where that is taken. */
async function freePort(preferred: number): Promise<number> {
  for (const port of [preferred, 0]) {
    const probe = createServer()
    try {
      probe.listen(port, '127.0.0.1')
      await once(probe, 'listening')
      const address = probe.address()
      if (address !== null && typeof address === 'object') return address.port
    } catch {
      // Taken: try any free one.
    } finally {
      probe.close()
    }
  }
  throw new Error('no free port')
}

await main().catch((error: unknown) => {
  // A wrong catalog or port: the message says what to change.
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
