import { connect } from 'node:net'

export interface LoadOptions {
  port: number
  /** The path of each request. */
  path: () => string
  connections: number
  /** Each connection waits so long before its next request. */
  pauseMs?: number
  /** Ends after so many seconds, or so many requests. */
  seconds?: number
  requests?: number
  /** What every answer has to be. */
  status: number
  location?: RegExp
  /** No two redirects may lead to the same session, whose number ends the URL. */
  isDistinct?: boolean
  method?: string
  body?: string
}

export interface LoadResult {
  answers: number
  seconds: number
  /** The time of each answer in milliseconds, sorted. */
  times: Float64Array
}

const AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

/**
 * Sends requests over kept-alive connections, each the next one as soon as it has its answer. Checks every answer. The
 * connections are plain sockets, so that the load takes little of the processor that it shares with Dots' stand-in.
 *
 * @throws Error at the first answer that is not what it has to be.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { seconds = Number.POSITIVE_INFINITY, requests = Number.POSITIVE_INFINITY } = options
  const times: number[] = []
  const sessions = new Set<number>()
  const startedAt = performance.now()
  let sent = 0
  const isOver = () => sent >= requests || performance.now() - startedAt >= seconds * 1000
  await Promise.all(
    Array.from({ length: options.connections }, () =>
      converse(options, {
        next: () => {
          if (isOver()) return false
          sent += 1
          return true
        },
        record: (ms, to) => {
          times.push(ms)
          if (options.isDistinct !== true) return true
          const session = Number(to.slice(-12))
          const isNew = !sessions.has(session)
          sessions.add(session)
          return isNew
        },
      }),
    ),
  )
  return {
    answers: times.length,
    seconds: (performance.now() - startedAt) / 1000,
    times: Float64Array.from(times).sort(),
  }
}

interface Talk {
  /** Whether one more request is to be sent. */
  next: () => boolean
  /** Takes the time of an answer and where it leads to; false where that is wrong. */
  record: (ms: number, location: string) => boolean
}

/** One connection: sends while `next` says so. */
function converse(options: LoadOptions, { next, record }: Talk): Promise<void> {
  const { port, path, status, location = /^/, method = 'GET', body = '', pauseMs = 0 } = options
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect(port, '127.0.0.1').setNoDelay()
  const headers = `host: 127.0.0.1:${port}\r\nuser-agent: ${AGENT}\r\naccept: text/html,*/*;q=0.8\r\naccept-language: en\r\n`
  const length =
    body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
  let sentAt = 0
  let text = ''

  const send = () => {
    if (!next()) {
      socket.end()
      resolve()
      return
    }
    text = ''
    sentAt = performance.now()
    socket.write(`${method} ${path()} HTTP/1.1\r\n${headers}${length}\r\n${body}`, 'latin1')
  }

  socket.on('connect', send)
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const contentLength = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0)
    if (text.length < end + 4 + contentLength) return
    const to = /\r\nlocation: ([^\r]*)/i.exec(text)?.[1] ?? ''
    const isRight = Number(text.slice(9, 12)) === status && location.test(to)
    if (!record(performance.now() - sentAt, to) || !isRight) {
      socket.destroy()
      reject(new Error(`wrong answer to ${path()}: ${text.slice(0, 300)}`))
      return
    }
    if (pauseMs > 0) setTimeout(send, pauseMs)
    else send()
  })
  socket.on('error', reject)
  return promise
}

/** The value below which this share of the times lies. */
export function percentile({ times }: LoadResult, share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
}
