import type { ErrorCode, ErrorParams } from '../../errors.ts'

/** The words of an error page. */
interface ErrorText {
  title: string
  message: string
}

const CHECKOUT_NOT_OPENED = 'The checkout could not be opened'
const dotsPassing: ErrorText = {
  title: CHECKOUT_NOT_OPENED,
  message: 'The payment service is not answering right now. Please try again in a moment.',
}
const dotsLasting: ErrorText = {
  title: CHECKOUT_NOT_OPENED,
  message: 'The shop cannot open a checkout right now. Please contact the shop.',
}
const damaged: ErrorText = {
  title: 'This link is damaged',
  message: 'It cannot be read. Please use the original link.',
}

const startsOn = (time: string) => `Its sale starts on ${time}.`
const notForSale =
  (reason: string) =>
  ({ name = 'This product', note, startsAt }: ErrorParams): ErrorText => ({
    title: `${name} cannot be bought now`,
    message: [startsAt === undefined ? reason : startsOn(startsAt), note].filter(Boolean).join(' '),
  })

function badQuantity({ name = 'It', minimum, maximum }: ErrorParams): ErrorText {
  const title = 'This quantity cannot be bought'
  if (minimum === undefined || maximum === undefined) {
    return { title, message: 'The quantity in the link is not valid. Please ask the shop for a new link.' }
  }
  const allowed =
    minimum === maximum ? `in a quantity of ${minimum}` : `in quantities from ${minimum} to ${maximum}`
  return { title, message: `${name} is sold ${allowed}.` }
}

const errors: Record<ErrorCode, ErrorText | ((params: ErrorParams) => ErrorText)> = {
  'unknown-sku': {
    title: 'Product not found',
    message: 'This shop has no such product. The link may have a typo, or the product was removed.',
  },
  'product-inactive': notForSale('It is not for sale at the moment.'),
  'product-not-yet': notForSale('Its sale has not started yet. Please come back later.'),
  'product-ended': notForSale('Its sale has ended.'),
  'product-sold-out': notForSale('It is sold out.'),
  'bad-quantity': badQuantity,
  'malformed-link': {
    title: 'This link does not work',
    message: 'The link is incomplete or damaged. Please ask the shop for a new one.',
  },
  'link-changed': {
    title: 'This link was changed',
    message: 'It cannot be used. Please use the original link, or ask the shop for a new one.',
  },
  'link-expired': {
    title: 'This link has expired',
    message: 'It is no longer valid. Please ask the shop for a new one.',
  },
  'link-used-up': {
    title: 'This link was used already',
    message: 'It was valid for a limited number of orders, and all of them have been placed.',
  },
  'unknown-checkout': {
    title: 'Checkout not found',
    message: 'This shop has no checkout with this link. Please check that the link is complete.',
  },
  'not-found': { title: 'Page not found', message: 'The link may have a typo, or the page was removed.' },
  'bad-request': damaged,
  'method-not-allowed': {
    title: 'This request is not allowed',
    message: 'This page does not accept requests of this kind.',
  },
  'body-too-large': {
    title: 'This request is too large',
    message: 'It holds more data than this page accepts.',
  },
  'url-too-long': {
    title: 'This link is too long',
    message: 'This link is too long. Please ask the shop for a new one.',
  },
  'malformed-url': damaged,
  'unsupported-form': { title: 'This form cannot be read', message: 'Please use the button on the page.' },
  'too-many-attempts': {
    title: 'Too many attempts',
    message: 'This link was opened too often from your connection. Please wait a moment and try again.',
  },
  overloaded: { title: 'The shop is very busy', message: 'Please try again in a moment.' },
  'unsigned-event': { title: 'Not signed', message: 'The event has no valid signature.' },
  'event-not-stored': { title: 'Not stored', message: 'The event was not stored. Please send it again.' },
  unexpected: {
    title: 'Something went wrong on our side',
    message: 'The error was logged. Please try again later.',
  },
  'dots-unreachable': dotsPassing,
  'dots-certificate-rejected': dotsLasting,
  'dots-timeout': dotsPassing,
  'dots-connection-lost': dotsPassing,
  'dots-conflict': dotsPassing,
  'dots-rate-limited': dotsPassing,
  'dots-unavailable': dotsPassing,
  'dots-paused': dotsPassing,
  'dots-breaker-open': dotsPassing,
  'dots-queue-full': dotsPassing,
  'dots-credentials-refused': dotsLasting,
  'dots-blocked': dotsLasting,
  'dots-wrong-address': dotsLasting,
  'dots-request-refused': dotsLasting,
  'dots-not-found': dotsLasting,
  'dots-invalid-response': dotsPassing,
  'dots-unsafe-url': dotsLasting,
}

/** What a buyer reads after the checkout. */
interface StatusText {
  /** Also the heading where there is no other. */
  title: string
  heading?: string
  lead?: string
  more?: string
}
type StatusTexts = Record<'open' | 'complete' | 'expired' | 'unknown', StatusText>

const returned: StatusTexts = {
  complete: { title: 'Payment complete', heading: 'Thank you. Your payment is complete.' },
  open: {
    title: 'Your payment is not finished yet',
    lead: 'We have not received a payment for this order yet.',
    more: 'If you have just paid, please wait. If not, you can go back to your checkout and finish it.',
  },
  expired: {
    title: 'This checkout has expired',
    lead: 'A checkout is open for a limited time. This one can no longer be paid. You can start a new one.',
  },
  unknown: {
    title: 'We are confirming your payment',
    lead: 'This takes longer than usual. We cannot tell you yet whether it went through.',
    more: 'Please do not pay a second time while we are checking.',
  },
}

const cancelled: StatusTexts = {
  complete: {
    title: 'This order is already paid',
    lead: 'Coming back here did not cancel it. If you want to change it, please contact the shop.',
  },
  open: {
    title: 'You left the checkout',
    lead: 'It is still open. You can go back and finish it. Otherwise it closes by itself.',
  },
  expired: {
    title: 'This checkout has ended',
    lead: 'It can no longer be paid. If you still want to buy, start a new one.',
  },
  unknown: {
    title: 'You left the checkout',
    lead: 'We cannot check the payment status right now. If you have paid, please do not pay again.',
  },
}

/** All words that a buyer reads, in English. `lang` is a BCP 47 tag. */
export const en = {
  lang: 'en',
  errors,
  goToShop: 'Go to the shop',
  questions: 'Questions?',
  notCharged: 'You have not been charged.',
  orderReference: 'Order reference',
  payOnNextPage: 'You pay on the next page.',

  order: { label: 'Your order', quantity: 'Quantity:', total: 'Total', paid: 'Paid' },
  shopWindow: {
    title: 'Products',
    titleOfPage: (page: string) => `Products, page ${page}`,
    empty: 'No products are available right now. Please come back soon.',
    buy: 'Buy',
    soldOut: 'Sold out',
    pages: 'Pages',
    pageOf: (page: string, pages: string) => `Page ${page} of ${pages}`,
    previous: 'Previous',
    next: 'Next',
  },
  product: {
    pictureOf: (name: string, index: number, count: number) => `${name}, picture ${index} of ${count}`,
    quantity: 'Quantity',
    fixedQuantity: (quantity: string) => `Quantity: ${quantity}`,
    limits: (minimum: string, maximum: string) => `${minimum} to ${maximum}`,
    buy: 'Buy',
    unavailable: {
      inactive: 'This product is not for sale right now.',
      'not-yet': 'The sale of this product has not started yet.',
      ended: 'The sale of this product has ended.',
      startsOn,
      'sold-out': 'This product is sold out.',
    },
  },
  confirm: { title: 'Is this your order?', button: 'Continue to the checkout' },
  savedCart: {
    title: 'Your selection',
    button: 'Check out',
    remove: 'Remove',
    gone: 'What you have selected cannot be bought right now.',
  },
  checkoutStatus: {
    returned,
    cancelled,
    email: 'Your email:',
    refreshesIn: (time: string) => `This page refreshes automatically in ${time}.`,
    redirectsIn: (time: string) => `You will be redirected in ${time}.`,
    continue: 'Continue now',
    checkAgain: 'Check again now',
    backToCheckout: 'Back to the checkout',
    newCheckout: 'Start a new checkout',
    seeOrder: 'See your order',
  },
  problem: {
    status: (status: number) => `Error ${status}`,
    reference: 'Reference',
    waitFor: (time: string) => `Please wait ${time} before you try again.`,
    tryAgain: 'Try again',
    toProduct: (name: string) => `Go to ${name}`,
    similar: 'Perhaps you are looking for',
    notWorking: 'Still not working?',
    writeToUs: 'Write to us and give the reference',
  },
  emailButton: 'Buy now',
}

/** Every language has the same keys. */
export type Text = typeof en
