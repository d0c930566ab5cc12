import type { FastifyReply } from 'fastify'

/** The API calls that a fault can be aimed at. */
export type ApiCall = 'create' | 'read' | 'list' | 'intent' | 'other'

/**
 * What the sandbox does in place of a good answer.
 * - a status, with headers and a body: nothing was done (an object is sent as JSON, a string as it is)
 * - `alter`: the call is done, and its good answer is changed on the way out
 * - `reset`: the connection breaks before anything was done; `done-then-reset`: after it was done
 * - `reset-in-body`: the call is done, the connection breaks in its answer; `hang-in-body`: the answer stops halfway
 * - `hang`: nothing is done and nothing comes
 */
export type CannedAnswer =
  | { status: number; headers?: Record<string, string>; body?: unknown }
  | { alter: (body: Record<string, unknown>) => unknown }
  | 'reset'
  | 'done-then-reset'
  | 'reset-in-body'
  | 'hang-in-body'
  | 'hang'

export type Faults = ReturnType<typeof orderedFaults>

/** Faults that tests have queued, each used once, and the gate that delays answers. */
export function orderedFaults() {
  const queue: { answer: CannedAnswer; call: ApiCall | 'any' }[] = []
  let gate: PromiseWithResolvers<void> | undefined

  return {
    order(answer: CannedAnswer, times = 1, call: ApiCall | 'any' = 'any'): void {
      for (let count = 0; count < times; count++) queue.push({ answer, call })
    },
    clear(): void {
      queue.length = 0
    },
    hold(): void {
      gate ??= Promise.withResolvers<void>()
    },
    release(): void {
      gate?.resolve()
      gate = undefined
    },

    /** Answers a call with the oldest queued fault for it, if any. `perform` does the call; some faults prevent it. */
    async answer(call: ApiCall, reply: FastifyReply, perform: () => { status: number; body: object }) {
      const index = queue.findIndex((ordered) => ordered.call === 'any' || ordered.call === call)
      const fault = index < 0 ? undefined : queue.splice(index, 1)[0]?.answer
      if (fault === 'hang') return reply.hijack()
      if (fault === 'reset') return reset(reply)
      if (typeof fault === 'object' && 'status' in fault) {
        await gate?.promise
        const { status, headers, body = {} } = fault
        return sendExactly(reply, status, body, headers)
      }
      const { status, body } = perform()
      await gate?.promise
      if (fault === undefined) return reply.code(status).send(body)
      if (fault === 'done-then-reset') return reset(reply)
      if (typeof fault === 'string') return sendHalf(reply, status, body, fault === 'reset-in-body')
      return sendExactly(reply, status, fault.alter(structuredClone({ ...body })))
    },
  }
}

function reset(reply: FastifyReply): FastifyReply {
  reply.raw.socket?.resetAndDestroy()
  return reply.hijack()
}

/** Sends a string as it is and all else as JSON. Fastify itself would add a content type to a bare string. */
function sendExactly(reply: FastifyReply, status: number, body: unknown, headers = {}): FastifyReply {
  const isText = typeof body === 'string'
  const text = isText ? body : (JSON.stringify(body) ?? '')
  const contentType = isText ? {} : { 'content-type': 'application/json' }
  reply.raw.writeHead(status, { 'content-length': Buffer.byteLength(text), ...contentType, ...headers })
  reply.raw.end(text)
  return reply.hijack()
}

/** Sends half an answer, then breaks the connection or leaves the caller waiting. */
function sendHalf(reply: FastifyReply, status: number, body: object, isReset: boolean): FastifyReply {
  const bytes = Buffer.from(JSON.stringify(body))
  reply.raw.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length })
  reply.raw.write(bytes.subarray(0, bytes.length / 2), () => isReset && reply.raw.socket?.destroy())
  return reply.hijack()
}
