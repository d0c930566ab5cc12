import type { ErrorCode, ErrorParams } from '../../errors.ts'

/** What a person reads of an error: the headline of the page, and a sentence or two. */
export interface ErrorText {
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
  message: 'The shop cannot open a checkout right now. Please tell the shop, it can put this right.',
}
const damaged: ErrorText = {
  title: 'This link is damaged',
  message: 'It cannot be read. Please use the original link.',
}

const notForSale =
  (reason: string) =>
  ({ name = 'This product', note }: ErrorParams): ErrorText => ({
    title: `${name} cannot be bought now`,
    message: note === undefined ? reason : `${reason} ${note}`,
  })

function badQuantity({ name = 'It', minimum, maximum }: ErrorParams): ErrorText {
  const title = 'This quantity cannot be bought'
  if (minimum === undefined || maximum === undefined) {
    return {
      title,
      message: 'The link names a quantity that is not a whole number. Please ask for another link.',
    }
  }
  const allowed =
    minimum === maximum ? `in a quantity of ${minimum}` : `in quantities from ${minimum} to ${maximum}`
  return { title, message: `${name} is sold ${allowed}.` }
}

/** The words of each error, in English. */
export const errors: Record<ErrorCode, ErrorText | ((params: ErrorParams) => ErrorText)> = {
  'unknown-sku': {
    title: 'This product is not here',
    message:
      'The link leads to a product that this shop does not have. It may have been mistyped, or the product is gone.',
  },
  'product-inactive': notForSale('It is not for sale at the moment.'),
  'product-not-yet': notForSale('Its sale has not started yet. Please come back later.'),
  'product-ended': notForSale('Its sale has ended.'),
  'product-sold-out': notForSale('It is sold out.'),
  'bad-quantity': badQuantity,
  'malformed-link': {
    title: 'This link does not work',
    message: 'The link is incomplete or was damaged on its way. Please ask the shop for a new one.',
  },
  'link-changed': {
    title: 'This link was changed',
    message:
      'It is not as the shop made it, so it cannot be used. Please use the original link, or ask the shop for a new one.',
  },
  'link-expired': {
    title: 'This link has expired',
    message: 'Its time is over. Please ask the shop for a new one.',
  },
  'link-used-up': {
    title: 'This link was used already',
    message: 'It was good for a number of orders, and those are made.',
  },
  'unknown-checkout': {
    title: 'There is no such checkout',
    message:
      'This URL does not belong to a checkout of this shop. Please use the link that the checkout led you to.',
  },
  'not-found': {
    title: 'There is nothing here',
    message: 'The link may have been mistyped, or the page is gone.',
  },
  'bad-request': damaged,
  'method-not-allowed': {
    title: 'This cannot be done here',
    message: 'This page takes no request of this kind.',
  },
  'body-too-large': {
    title: 'This is too large',
    message: 'The request holds more than this page takes. Please send less.',
  },
  'url-too-long': {
    title: 'This link is too long',
    message: 'This link is too long. Please ask the shop for a new one.',
  },
  'malformed-url': damaged,
  'unsupported-form': {
    title: 'This form is not understood',
    message: 'Please use the button on the page.',
  },
  'too-many-attempts': {
    title: 'Too many attempts',
    message: 'This link was opened too often from your connection. Please wait a moment and try again.',
  },
  overloaded: { title: 'The shop is very busy', message: 'Please try again in a moment.' },
  'unsigned-event': { title: 'Not signed', message: 'The event is not signed as it has to be.' },
  'event-not-stored': {
    title: 'Not stored',
    message: 'The event could not be stored. Please send it again.',
  },
  unexpected: {
    title: 'Something went wrong on our side',
    message: 'We have noted it. Please try again later.',
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
  'dots-request-refused': dotsLasting,
  'dots-not-found': dotsLasting,
  'dots-invalid-response': dotsPassing,
  'dots-unsafe-url': dotsLasting,
}

/** What a person reads of an error, by its code and what it names. */
export function errorText(code: ErrorCode, params: ErrorParams = {}): ErrorText {
  const text = errors[code]
  return typeof text === 'function' ? text(params) : text
}
