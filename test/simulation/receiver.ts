import type { NetworkOutcome, NetworkRequest } from './network.ts'
import type { RandomSource } from './random.ts'
import type { Troubles } from './troubles.ts'
import { monotonicMs, newOwner, runAs } from './virtual-time.ts'

const LATENCY_MS = [20, 400] as const
/** Of all messages, while some hang. */
const HANGING_SHARE = 0.3

/** What the merchant's own system has seen of one message. */
export interface ReceivedMessage {
  firstAt: number
  attempts: number
  accepted: number
  body: string
}

export type Receiver = ReturnType<typeof simulatedReceiver>

/** The merchant's own system, which may be down, or hang at some of the messages. */
export function simulatedReceiver({ random, troubles }: { random: RandomSource; troubles: Troubles }) {
  const owner = newOwner('receiver')
  const messages = new Map<string, ReceivedMessage>()
  const hanging = new Map<string, boolean>()
  const receiver = {
    messages,
    /** Called with each message that has not come before. */
    onFirst: (_id: string, _body: string): void => {},
    handle: (request: NetworkRequest): Promise<NetworkOutcome> =>
      runAs(owner, async () => {
        const id = request.headers['webhook-id'] ?? ''
        const message = messages.get(id) ?? {
          firstAt: monotonicMs(),
          attempts: 0,
          accepted: 0,
          body: request.body,
        }
        if (!messages.has(id)) receiver.onFirst(id, request.body)
        messages.set(id, message)
        message.attempts += 1
        if (!hanging.has(id)) hanging.set(id, random.chance(HANGING_SHARE))
        await new Promise((resolve) => setTimeout(resolve, random.between(...LATENCY_MS)))
        if (troubles.isActive('receiver-hangs') && hanging.get(id)) return 'hang'
        if (troubles.isActive('receiver-down')) return { status: 503, body: '' }
        message.accepted += 1
        return { status: 204, body: '' }
      }),
  }
  return receiver
}
