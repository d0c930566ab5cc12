import { AppError } from '../errors.ts'

/** 403: a signed link that is not as the merchant made it. */
export class ForgedLinkError extends AppError {
  constructor() {
    super(
      'link-changed',
      403,
      'This link was changed',
      'It is not as the shop made it, so it cannot be used. Please use the original link, or ask the shop for a new one.',
    )
  }
}

const LINK_ENDED = {
  'link-expired': ['This link has expired', 'Its time is over. Please ask the shop for a new one.'],
  'link-used-up': ['This link was used already', 'It was good for a number of orders, and those are made.'],
} as const

/** 410: a signed link past its time or its uses. */
export class LinkEndedError extends AppError {
  constructor(code: keyof typeof LINK_ENDED) {
    const [title, message] = LINK_ENDED[code]
    super(code, 410, title, message)
  }
}

/** 404: no checkout has this id; malformed ids get the same answer, so that nothing can be learnt by trying. */
export class UnknownCheckoutError extends AppError {
  constructor() {
    super(
      'unknown-checkout',
      404,
      'There is no such checkout',
      'The address does not belong to a checkout of this shop. Please use the link that the checkout led you to.',
    )
  }
}
