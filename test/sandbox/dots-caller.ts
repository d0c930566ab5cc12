import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts'

export const CREDENTIALS = { clientId: 'client', apiKey: 'key' } as const

export const AUTHORIZATION = `Basic ${Buffer.from('client:key').toString('base64')}`

/** A create body with every documented field that may be used together with the others. */
export function createBody(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    line_items: [lineItem()],
    mode: 'payment',
    success_url: 'http://shop.example/success?checkout=1',
    cancel_url: 'http://shop.example/cancel?checkout=1',
    customer_email: 'buyer@example.com',
    client_reference_id: 'ref-1',
    customer_id: '0b0a7a3e-51f0-4c5f-9d5e-4c8fd3f2a8f0',
    expires_in: 10_799,
    metadata: { checkout_id: '1' },
    ...changes,
  }
}

export function lineItem(changes: Record<string, unknown> = {}, product: Record<string, unknown> = {}) {
  return {
    price_data: {
      currency: 'usd',
      amount: 2500,
      product_data: {
        name: 'Black T-shirt, M',
        description: 'Heavy cotton.',
        images: ['https://shop.example/tee.jpg'],
        metadata: { color: 'black' },
        ...product,
      },
      ...changes,
    },
    quantity: 2,
  }
}

export interface Answer {
  status: number
  body: Record<string, unknown>
}

/** Calls the API as a client would. `body` is sent as JSON, a string as it is. */
export async function call(
  sandbox: Sandbox,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${sandbox.url}/v2${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: AUTHORIZATION, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const answer: unknown = await response.json()
  if (typeof answer !== 'object' || answer === null) throw new Error('the sandbox sent no object')
  return { status: response.status, body: { ...answer } }
}

export async function create(sandbox: Sandbox, changes: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await call(sandbox, '/checkout-sessions', createBody(changes))
  if (status !== 200) throw new Error(`not created: ${JSON.stringify(body)}`)
  return String(body.id)
}

export function start(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return startSandbox({ ...CREDENTIALS, ...options })
}
