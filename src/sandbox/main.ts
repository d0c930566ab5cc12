import { startSandbox } from './sandbox.ts'

// Runs the sandbox alone. The credentials are accepted by the sandbox only, so they may be printed.

const CREDENTIALS = { clientId: 'sandbox-client', apiKey: 'sandbox-key' }
const SECRET = `whsec_${Buffer.from('the sandbox signs with this!').toString('base64')}`

const { SANDBOX_PORT, SANDBOX_WEBHOOK_URL: url } = process.env
const port = Number(SANDBOX_PORT || 4010)

if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
  console.error(`SANDBOX_PORT must be a port number, not ${JSON.stringify(SANDBOX_PORT)}`)
  process.exitCode = 1
} else if (url && !URL.canParse(url)) {
  console.error('SANDBOX_WEBHOOK_URL must be an absolute URL')
  process.exitCode = 1
} else {
  const webhook = url ? { url, secret: SECRET } : undefined
  const sandbox = await startSandbox({ ...CREDENTIALS, port, webhook })
  console.log(`The Dots sandbox is running; no real money moves here. Settings for the service:

DOTS_API_URL=${sandbox.url}
DOTS_CLIENT_ID=${CREDENTIALS.clientId}
DOTS_API_KEY=${CREDENTIALS.apiKey}
DOTS_WEBHOOK_SECRET=${SECRET}

${url ? `Events are sent to ${url}.` : 'No events are sent: set SANDBOX_WEBHOOK_URL to receive them.'}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close())
}
