import { createServer as createTlsServer } from 'node:https'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { selfSigned } from './self-signed.ts'
import { CREATE, clientOf, failureOf, GOOD, listen, raw, web } from './servers.ts'

// undici's timers run once a second or so, and with this deadline no time is left for a retry after one.
const SHORT = { connectMs: 200, firstByteMs: 250, deadlinesMs: { click: 1_800 } }
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** A port that is not listened on. */
async function closedPort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<number>()
  server.listen(0, '127.0.0.1', () => {
    const bound = server.address()
    server.close(() => resolve(bound !== null && typeof bound === 'object' ? bound.port : 0))
  })
  return promise
}

describe('nothing was sent, so no session exists:', () => {
  test.each(['127.0.0.1', 'localhost'])('connection refused at %s', async (host) => {
    const client = clientOf(`http://${host}:${await closedPort()}/api`)
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error).toMatchObject({
      sessionMayExist: false,
      retryAfterSeconds: 5,
      details: { fault: 'ECONNREFUSED' },
      logLevel: 'warn',
    })
  })

  test('name not found', async () => {
    const error = await failureOf(clientOf('https://nonexistent.invalid/api').createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error.sessionMayExist).toBe(false)
  })

  test('a server that accepts the connection and never completes the TLS handshake', async () => {
    const port = await listen(createServer())
    const start = performance.now()
    const client = clientOf(`https://127.0.0.1:${port}/api`, SHORT)
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error).toMatchObject({ sessionMayExist: false, details: { fault: 'UND_ERR_CONNECT_TIMEOUT' } })
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  test('a self-signed certificate', async () => {
    let requests = 0
    const server = createTlsServer(selfSigned(), (_request, response) => {
      requests++
      response.end(JSON.stringify(GOOD))
    })
    server.on('tlsClientError', () => {})
    const error = await failureOf(
      clientOf(`https://localhost:${await listen(server)}/api`).createCheckoutSession(CREATE),
    )
    expect(error).toMatchObject({ code: 'dots-certificate-rejected' })
    expect(error).toMatchObject({ sessionMayExist: false, logLevel: 'error', retryAfterSeconds: undefined })
    expect(requests).toBe(0)
  })

  test('a server that does not speak TLS', async () => {
    const url = await raw((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const error = await failureOf(clientOf(url.replace('http:', 'https:')).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-certificate-rejected' })
  })
})

describe('sent without a whole response, so a session may exist:', () => {
  test('late headers', async () => {
    const client = clientOf(await raw(() => {}), SHORT)
    const start = performance.now()
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true, retryAfterSeconds: 5 })
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  test('a body that stops half way', async () => {
    const url = await raw((socket) => void socket.write(`${HEAD}content-length: 100\r\n\r\n{"checkout`))
    const error = await failureOf(clientOf(url, SHORT).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true })
  })

  test('a body that never ends is aborted at the deadline', async () => {
    const url = await raw((socket) => {
      socket.write(`${HEAD}content-length: 60000\r\n\r\n`)
      const interval = setInterval(() => socket.write(' '), 20)
      socket.once('close', () => clearInterval(interval))
    })
    const start = performance.now()
    const error = await failureOf(
      clientOf(url, { deadlinesMs: { click: 400 } }).createCheckoutSession(CREATE),
    )
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true })
    expect(performance.now() - start).toBeGreaterThan(350)
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test('a connection that is closed before the response', async () => {
    for (const close of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const error = await failureOf(
        clientOf(await raw((socket) => void socket[close]())).createCheckoutSession(CREATE),
      )
      expect(error, close).toMatchObject({ code: 'dots-connection-lost', sessionMayExist: true })
    }
  })

  test('a connection that is closed in the body', async () => {
    for (const framing of ['content-length: 100', 'transfer-encoding: chunked']) {
      const part = framing.startsWith('t') ? 'a\r\n{"checkout\r\n' : '{"checkout'
      const url = await raw((socket) => {
        socket.write(`${HEAD}${framing}\r\n\r\n${part}`, () => setTimeout(() => socket.destroy(), 30))
      })
      const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
      expect(error, framing).toMatchObject({ code: 'dots-connection-lost', sessionMayExist: true })
    }
  })

  test('a response that is not HTTP', async () => {
    const url = await raw((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-invalid-response' })
    expect(error.sessionMayExist).toBe(true)
  })
})

describe('a body over 64 KiB is not read to its end', () => {
  const LIMIT = 64 * 1024
  const exactly = (bytes: number) =>
    `${JSON.stringify(GOOD)}${' '.repeat(bytes - JSON.stringify(GOOD).length)}`

  test.each(['with', 'without'] as const)('%s a content-length', async (length) => {
    for (const [bytes, code] of [
      [LIMIT, 'none'],
      [LIMIT + 1, 'dots-invalid-response'],
      [LIMIT * 40, 'dots-invalid-response'],
    ] as const) {
      const url = await web((request, response) => {
        request.resume()
        const head = length === 'with' ? { 'content-length': bytes } : {}
        response.writeHead(200, { 'content-type': 'application/json', ...head })
        response.write(exactly(bytes))
        response.end()
      })
      const call = clientOf(url).createCheckoutSession(CREATE)
      if (code === 'none') await expect(call).resolves.toBeDefined()
      else {
        const error = await failureOf(call)
        expect(error).toMatchObject({
          code,
          sessionMayExist: true,
          details: { tooLarge: `over ${LIMIT} bytes`, sha256: expect.any(String) },
        })
      }
    }
  })

  test('an endless one is aborted at once', async () => {
    let sent = 0
    const url = await web(async (request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json' })
      while (!response.destroyed && sent < 200_000_000) {
        sent += 16_384
        if (!response.write('x'.repeat(16_384))) await sleep(1)
      }
    })
    expect(await failureOf(clientOf(url).createCheckoutSession(CREATE))).toMatchObject({
      code: 'dots-invalid-response',
    })
    await sleep(50)
    expect(sent).toBeLessThan(20_000_000)
  })

  test('a small one that would decompress to ten megabytes is not decompressed', async () => {
    const bomb = gzipSync(`${JSON.stringify(GOOD)}${' '.repeat(10_000_000)}`)
    expect(bomb.length).toBeLessThan(LIMIT)
    const url = await web((request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb)
    })
    const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-invalid-response', details: { bytes: bomb.length } })
  })
})

test('after a broken connection the next call opens a new one', async () => {
  let calls = 0
  const url = await raw((socket) => {
    // The call and its one retry.
    if (calls++ < 2) socket.destroy()
    else {
      const body = JSON.stringify(GOOD)
      socket.end(`${HEAD}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)
    }
  })
  const client = clientOf(url)
  await failureOf(client.createCheckoutSession(CREATE))
  await expect(client.createCheckoutSession(CREATE)).resolves.toBeDefined()
})

test('no call fails because Dots closed an idle connection', async () => {
  let calls = 0
  const url = await raw((socket) => {
    calls++
    const body = JSON.stringify(GOOD)
    socket.write(`${HEAD}content-length: ${body.length}\r\n\r\n${body}`, () =>
      setTimeout(() => socket.end(), 30),
    )
  })
  const client = clientOf(url)
  for (let n = 0; n < 3; n++) {
    await client.createCheckoutSession(CREATE)
    await sleep(150)
  }
  expect(calls).toBe(3)
})

test('close waits for a call in flight', async () => {
  const url = await web(async (request, response) => {
    request.resume()
    await sleep(150)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(GOOD))
  })
  const client = clientOf(url)
  const call = client.createCheckoutSession(CREATE)
  await sleep(30)
  await client.close()
  await expect(call).resolves.toBeDefined()
})
