import { expect } from 'vitest'
import { type BuyerParameters, buildLink, type Signing } from '../../src/links/link-builder.ts'
import { expectPage } from '../checkout/clicks.ts'
import type { Service } from '../service.ts'

export const SECRET = 'first-secret-of-two'
export const OLD_SECRET = 'older-secret-of-two'
export const SIGNING = { LINK_SIGNING_SECRET: `${SECRET}, ${OLD_SECRET}` }
export const UUID = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'

/** The path and query of a signed link. */
export function signed(
  terms: Omit<Signing, 'secrets'> = { amount: 1900 },
  {
    parameters = {},
    items = [{ sku: 'tee', quantity: 2 }],
    secrets = [SECRET],
  }: { parameters?: BuyerParameters; items?: { sku: string; quantity: number }[]; secrets?: string[] } = {},
): string {
  const publicUrl = new URL('https://shop.example')
  const link = buildLink({ publicUrl, items, parameters, signing: { secrets, ...terms } })
  return link.slice(publicUrl.origin.length)
}

export async function expectForged(shop: Service, path: string): Promise<void> {
  const before = shop.sandbox.requests.length
  const answer = await shop.get(path)
  expect(`${path} ${answer.status}`).toBe(`${path} 403`)
  expect((await expectPage(answer, 403)).text).toContain('This link was changed')
  expect(shop.sandbox.requests.length).toBe(before)
}
