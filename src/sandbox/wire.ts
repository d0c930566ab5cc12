import type { IncomingMessage, ServerResponse } from 'node:http'

// Far above any documented request, and small enough that a mistake cannot fill the memory.
const BODY_LIMIT_BYTES = 1024 * 1024

/** A request's body went beyond the limit. */
export class BodyTooLargeError extends Error {}

/** Reads a body as UTF-8. Throws {@link BodyTooLargeError}, or where the caller hangs up. */
export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    bytes += part.length
    // The rest is still read, since hanging up here would keep the answer from the caller.
    if (bytes <= BODY_LIMIT_BYTES) chunks.push(part)
  }
  if (bytes > BODY_LIMIT_BYTES) throw new BodyTooLargeError()
  return Buffer.concat(chunks).toString('utf8')
}

/** Sends a whole answer. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string,
): void {
  response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers })
  response.end(body)
}

/** Sends a whole answer as JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  send(response, status, { 'content-type': 'application/json', ...headers }, JSON.stringify(body) ?? '')
}

/** Sends half an answer, then hangs up or leaves the caller waiting. */
export function sendBroken(
  response: ServerResponse,
  answer: { status: number; body: object },
  how: 'reset-in-body' | 'hang-in-body',
): void {
  const bytes = Buffer.from(JSON.stringify(answer.body))
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': bytes.length })
  response.write(bytes.subarray(0, bytes.length / 2), () => {
    if (how === 'reset-in-body') response.socket?.destroy()
  })
}
