import { Agent, request } from 'node:http'

/** What became of one request. `refused`: nobody took the connection; `lost`: it was taken and broke. */
export type Fate = { status: number; location: string | undefined } | 'refused' | 'lost'

/** Never sent: the door was shut. */
const REFUSED = new Set(['ECONNREFUSED'])

/** One click on a connection of its own. Never rejects. */
export function clickOnce(url: string): Promise<Fate> {
  const { promise, resolve } = Promise.withResolvers<Fate>()
  request(url, { agent: new Agent({ keepAlive: false }) }, (answer) => {
    answer.resume()
    answer.once('error', () => resolve('lost'))
    answer.once('end', () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }))
  })
    .once('error', (error) =>
      resolve('code' in error && REFUSED.has(String(error.code)) ? 'refused' : 'lost'),
    )
    .end()
  return promise
}

/** How often each fate was met, as `200 x 302`. */
export function countFates(fates: readonly Fate[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const fate of fates) {
    const name = typeof fate === 'string' ? fate : String(fate.status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
