import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { web } from '../dots/servers.ts'

/** A Dots that takes its time, and counts how many calls it has at once. */
export async function slowDots(answerAfterMs: number) {
  const dots = { url: '', inFlight: 0, most: 0, sessions: 0 }
  dots.url = await web(async (request, response) => {
    request.resume()
    dots.most = Math.max(dots.most, ++dots.inFlight)
    // A caller that has hung up is no call in flight any more.
    response.once('close', () => dots.inFlight--)
    await sleep(answerAfterMs)
    if (response.destroyed) return
    const id = randomUUID()
    dots.sessions++
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ id, status: 'open', checkout_session_url: `https://pay.example/${id}` }))
  })
  return dots
}
