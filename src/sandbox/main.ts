import { startSandbox } from './sandbox.ts'

// Runs the sandbox alone. The credentials are accepted by the sandbox only, so they may be printed.

const DEFAULT_PORT = '4010'
const CLIENT_ID = 'sandbox-client'
const API_KEY = 'sandbox-key'
const WEBHOOK_SECRET = `whsec_${Buffer.from('the sandbox signs with this!').toString('base64')}`

const { SANDBOX_PORT, SANDBOX_WEBHOOK_URL } = process.env
const port = SANDBOX_PORT || DEFAULT_PORT

if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
  console.error(`SANDBOX_PORT must be a port number, not ${JSON.stringify(port)}`)
  process.exitCode = 1
} else if (SANDBOX_WEBHOOK_URL && !URL.canParse(SANDBOX_WEBHOOK_URL)) {
  console.error('SANDBOX_WEBHOOK_URL must be an absolute URL')
  process.exitCode = 1
} else {
  await run(Number(port), SANDBOX_WEBHOOK_URL || undefined)
}

async function run(port: number, webhookUrl: string | undefined): Promise<void> {
  const sandbox = await startSandbox({
    port,
    clientId: CLIENT_ID,
    apiKey: API_KEY,
    webhook: webhookUrl === undefined ? undefined : { url: webhookUrl, secret: WEBHOOK_SECRET },
  })
  console.log(`The Dots sandbox is running; no real money moves here. Settings for the service:

DOTS_API_URL=${sandbox.url}
DOTS_CLIENT_ID=${CLIENT_ID}
DOTS_API_KEY=${API_KEY}
DOTS_WEBHOOK_SECRET=${WEBHOOK_SECRET}

${webhookUrl ? `Events are sent to ${webhookUrl}.` : 'No events are sent: set SANDBOX_WEBHOOK_URL to receive them.'}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close())
}
