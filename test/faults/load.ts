import { Agent, request } from 'node:http'

/** What became of one request. `refused`: the connection was; `lost`: it was accepted and broke. */
export type Outcome = { status: number; location: string | undefined } | 'refused' | 'lost'

/** One click on a connection of its own. Never rejects. */
export function clickOnce(url: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  request(url, { agent: new Agent({ keepAlive: false }) }, (answer) => {
    answer.resume()
    answer.once('error', () => resolve('lost'))
    answer.once('end', () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }))
  })
    .once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'lost'))
    .end()
  return promise
}

/** How often each outcome occurred, by status or name. */
export function countOutcomes(outcomes: readonly Outcome[]): Record<string, number> {
  const names = outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : String(outcome.status)))
  return Object.fromEntries(
    [...new Set(names)].map((name) => [name, names.filter((one) => one === name).length]),
  )
}
