import { buildSandbox } from '../../src/sandbox/sandbox.ts'
import type { NetworkOutcome, NetworkRequest } from './network.ts'
import type { RandomSource } from './random.ts'
import type { Troubles } from './troubles.ts'
import { newOwner, rightTime, runAs } from './virtual-time.ts'

export const CREDENTIALS = { clientId: 'simulated-client', apiKey: 'simulated-api-key-5d41402abc' }
export const WEBHOOK_SECRET = `whsec_${Buffer.from('simulated webhook key, 32 bytes!').toString('base64')}`
export const CHECKOUT_ORIGIN = 'https://pay.dots.example'
const SESSIONS = '/api/v2/checkout-sessions'

/** Milliseconds that the network and Dots take on a good day, and while Dots is slow. */
const LATENCY_MS = [20, 300] as const
const SLOW_LATENCY_MS = [1_000, 7_000] as const

export type DotsCall = 'create' | 'read' | 'list'

/** How a session answers that is broken for ever. */
export type BadSession = '500' | 'firewall' | 'nonsense'

interface DotsOptions {
  random: RandomSource
  troubles: Troubles
  listOrder: 'newest-first' | 'oldest-first'
  /** Delivers an event to the shop. */
  fetch: typeof fetch
}

export type SimulatedDots = ReturnType<typeof simulatedDots>

/** The sandbox in the place of Dots, behind a network and a firewall that can fail. */
export function simulatedDots({ random, troubles, listOrder, fetch }: DotsOptions) {
  const owner = newOwner('dots')
  const { app, handles } = runAs(owner, () =>
    buildSandbox({
      ...CREDENTIALS,
      listOrder,
      recordRequests: false,
      now: rightTime,
      random: random.fork('events').next,
      pageOrigin: () => CHECKOUT_ORIGIN,
      webhook: { url: 'https://buy.shop.example/webhooks/dots', secret: WEBHOOK_SECRET },
      fetch,
    }),
  )
  const badSessions = new Map<string, BadSession>()
  const network = random.fork('network')
  const calls = { create: 0, read: 0, list: 0 }

  function callOf({ method, path }: NetworkRequest): DotsCall {
    if (method === 'POST') return 'create'
    return path.startsWith(`${SESSIONS}?`) ? 'list' : 'read'
  }

  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

  async function perform({ method, path, headers, body }: NetworkRequest): Promise<NetworkOutcome> {
    const payload = method === 'POST' ? body : undefined
    const answer = await app.inject({
      method: method === 'POST' ? 'POST' : 'GET',
      url: path,
      headers,
      payload,
    })
    return {
      status: answer.statusCode,
      headers: { 'content-type': String(answer.headers['content-type']) },
      body: answer.body,
    }
  }

  return {
    owner,
    sandbox: handles,
    badSessions,
    calls,

    /** One call as the network sees it. */
    handle: (request: NetworkRequest): Promise<NetworkOutcome> =>
      runAs(owner, async () => {
        const call = callOf(request)
        calls[call] += 1
        const [low, high] = troubles.isActive('slow-dots') ? SLOW_LATENCY_MS : LATENCY_MS
        const latencyMs = network.between(low, high)
        await wait(latencyMs / 2)
        const fault = troubles.answerTo(call, network) ?? badAnswer(badSessions.get(idOf(request.path)))
        const isLost = call === 'create' && troubles.isActive('lost-answers') && network.chance(0.5)
        const outcome = fault ?? (await perform(request))
        await wait(latencyMs / 2)
        return isLost ? 'reset' : outcome
      }),

    close: () => handles.close(),
  }
}

function idOf(path: string): string {
  return decodeURIComponent(path.slice(SESSIONS.length + 1))
}

export const FIREWALL_PAGE = {
  status: 403,
  headers: { 'content-type': 'text/html' },
  body: '<html><h1>Forbidden</h1></html>',
}

function badAnswer(kind: BadSession | undefined): NetworkOutcome | undefined {
  if (kind === undefined) return undefined
  if (kind === 'firewall') return FIREWALL_PAGE
  if (kind === 'nonsense') return { status: 200, headers: { 'content-type': 'application/json' }, body: '[1' }
  return { status: 500, headers: { 'content-type': 'application/json' }, body: '{}' }
}
