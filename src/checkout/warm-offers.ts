import { hash } from 'node:crypto'
import { type Product, quantityLimits } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import { readParameters } from '../links/parameters.ts'
import type { Order } from './price.ts'
import { type SessionRequest, sessionRequest } from './session-request.ts'

/** What a plain link of a product sells, as Dots is told. */
export interface Offer {
  sku: string
  /** Of everything that Dots is told, and of the account: a session under other terms has another hash. */
  hash: string
  /** Entries of our own in the metadata of its sessions. */
  ownKeys: number
}

type WarmConfig = Pick<Config, 'dots' | 'shop' | 'checkoutExpiresIn' | 'warmCheckouts'>

export type WarmOffers = ReturnType<typeof warmOffers>

/** Which sessions can be made ahead: those of plain links. */
export function warmOffers({ dots: account, shop, checkoutExpiresIn, warmCheckouts }: WarmConfig) {
  const terms = { publicUrl: shop.publicUrl, expiresIn: checkoutExpiresIn, isWarm: true }
  const offers = new WeakMap<Product, Offer>()

  /** Whether sessions of the product are made ahead. */
  const isMade = ({ warm = 0 }: Product): boolean => warm > 0 || warmCheckouts > 0

  /** What Dots is told of a session with this id. */
  const requestOf = (product: Product, id: string): SessionRequest =>
    sessionRequest(id, plainOrder(product), terms)

  function ofProduct(product: Product): Offer {
    const known = offers.get(product)
    if (known !== undefined) return known
    const { body, merchantMetadata } = requestOf(product, '')
    const { apiUrl, clientId, appId, checkoutHosts } = account
    const text = JSON.stringify([body, apiUrl, clientId, appId, checkoutHosts])
    const ownKeys = Object.keys(JSON.parse(body).metadata).length - Object.keys(merchantMetadata).length
    const offer = { sku: product.sku, hash: hash('sha256', text, 'base64url'), ownKeys }
    offers.set(product, offer)
    return offer
  }

  /** The offer of an order for which a session may have been made ahead: its link says nothing but the product. */
  function ofOrder({ lines, link }: Order): Offer | undefined {
    const [line, ...others] = lines
    if (line === undefined || others.length > 0 || !isMade(line.product)) return undefined
    const { email, clientReferenceId, metadata } = link.parameters
    const isPlain =
      link.linkId === undefined &&
      email === undefined &&
      clientReferenceId === undefined &&
      Object.keys(metadata).length === 0 &&
      line.quantity === quantityLimits(line.product).minimum
    return isPlain ? ofProduct(line.product) : undefined
  }

  return { isMade, requestOf, ofProduct, ofOrder }
}

/** The order of a plain link to the product, at its least quantity. */
function plainOrder(product: Product): Order {
  const { sku, amount, currency } = product
  const quantity = quantityLimits(product).minimum
  const link = {
    items: { form: 'bare', sku } as const,
    cart: [{ sku, quantity }],
    parameters: readParameters([]),
    terms: {},
    linkId: undefined,
    isShared: false,
  }
  return { link, lines: [{ product, quantity, amount }], amountTotal: amount * quantity, currency }
}
