import { expect } from 'vitest'
import { sessionsOf } from '../checkout/clicks.ts'
import { type Service, startService } from '../service.ts'

/** What a click came to: where it led, and the cookie that the browser has after it. */
interface Visit {
  status: number
  to: string
  cookie: string
}

export async function visit(
  shop: Pick<Service, 'get'>,
  path = '/buy/tee',
  cookie = '',
  init: RequestInit = {},
): Promise<Visit> {
  const answer = await shop.get(path, { ...init, headers: { ...(cookie && { cookie }), ...init.headers } })
  await answer.arrayBuffer()
  return {
    status: answer.status,
    to: answer.headers.get('location') ?? '',
    cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie,
  }
}

export const calls = (shop: Service, call: 'create' | 'read') =>
  shop.sandbox.requests.filter((request) => request.call === call).length

/** A browser that has its cookie, and one session for a tee. */
export async function returning(options: Parameters<typeof startService>[0] = {}) {
  const shop = await startService(options)
  const first = await visit(shop)
  expect(first.status).toBe(302)
  return { shop, first, session: sessionsOf(shop)[0]?.id ?? '' }
}
