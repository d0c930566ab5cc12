import type { Session } from '../dots/messages.ts'
import type { Cart } from '../links/cart.ts'
import type { NewCheckout, SoldItem } from '../store/checkout.ts'
import type { Store } from '../store/store.ts'
import { merchantMetadata, type OwnMetadata, textMetadata } from './session-metadata.ts'

export interface Restore {
  store: Store
  /** Only sessions that lead back here are ours: several shops may share one Dots app. */
  publicUrl: string
  /** Names and unit prices for what was sold, as well as they are still known. */
  soldItems: (cart: Cart, amountTotal: number) => SoldItem[]
  /** The path of the link that leads to the same cart. */
  linkTo: (cart: Cart) => string
}

/** Whether a session that the store does not know was opened by this shop. */
export function isOurs(session: Session, publicUrl: string): boolean {
  const url = session.success_url
  return url === undefined || (URL.canParse(url) && new URL(url).origin === publicUrl)
}

/**
 * Writes the checkout of a session that the store has lost, from what the session itself carries. `isHeld`: its
 * announcement is to be held back. @throws StoreError
 */
export async function restoreCheckout(
  deps: Restore,
  session: Session,
  own: OwnMetadata,
  isHeld: boolean,
): Promise<void> {
  const checkout: NewCheckout = {
    id: own.checkoutId,
    items: deps.soldItems(own.cart, own.amountTotal),
    amountTotal: own.amountTotal,
    currency: 'usd',
    link: deps.linkTo(own.cart),
    linkId: own.linkId ?? null,
    clientReferenceId: session.client_reference_id ?? null,
    customerEmail: session.customer_email ?? null,
    metadata: merchantMetadata(textMetadata(session)),
  }
  await deps.store.checkouts.recordRestored(checkout, session.created ?? deps.store.madeAt, isHeld)
}

/**
 * Whether a restored sale that is complete was surely not announced before: it was opened or heard of since this
 * store was made, so only a fault kept it out. Sales of a store that is gone may have been announced from there.
 */
export async function isNewToTheShop({ store }: Restore, session: Session): Promise<boolean> {
  const created = Date.parse(session.created ?? '')
  if (created >= Date.parse(store.madeAt)) return true
  const ids = [session.id, session.payment_intent_id].filter((id) => id !== undefined)
  return store.events.hasPending(ids)
}
