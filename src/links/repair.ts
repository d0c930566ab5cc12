import { canonicalName, isCovered, KNOWN_NAME, SIGNATURE_PARAMETER } from './parameter-name.ts'
import { type LinkParameters, MAX_PAIRS, type Pair, queryPairs, readParameters } from './parameters.ts'

/** A link before it is read: the items segment of its path, percent-decoded once, and its pairs. */
export interface LinkText {
  readonly segment: string
  readonly pairs: readonly Pair[]
}

/**
 * What mail and chat programs count as a part of a link though it follows it: white space, format characters,
 * punctuation, quotation marks and closing brackets, also in their full-width, CJK and Arabic forms.
 */
const TRAILING =
  /[\s\p{Cf}\p{Pe}\p{Pi}\p{Pf}.,;:!?>"'*_…„‚،؛؟۔٭。、．，；：！？＞＂＇＊＿｡､︐︑︒︓︔︕︖︙﹐﹑﹒﹔﹕﹖﹗﹡﹥]$/u
/** Text around a link never ends it with nearly as many; each is one more reading of the link. */
const MAX_TRAILING = 20

/** What stands for an `&` in a damaged value, if a known name and a `=` follow. One at a time, for linear time. */
const GLUE = new RegExp(`(?:\\?|%3[Ff]|&(?:amp;)*|%26(?:amp;)*|;|\\s)(?=/?(?:${KNOWN_NAME})=)`, 'u')
/** Where a query begins whose `?` was escaped or replaced. */
const QUERY_IN_SEGMENT = /[?&](?=[^?&=]+=)/

/** Markdown and a second percent-encoding change the underscore. */
const SIGNATURE = /link(?:\\?_|%(?:25)*5F)signature/i
/** How much of the signature's name tells that it was cut off in the middle. */
const MIN_NAME_START = 'link_'

/** The text without one, two, three … characters of punctuation at its end. */
export function* withoutTrailing(text: string): Generator<string> {
  let rest = text
  for (let count = 0; count < MAX_TRAILING && TRAILING.test(rest); count++) {
    rest = rest.replace(TRAILING, '')
    yield rest
  }
}

/** Whether a link carries a signature anywhere, also a damaged one: such a link is never sold as a plain one. */
export function mentionsSignature({ segment, pairs }: LinkText): boolean {
  if (SIGNATURE.test(segment)) return true
  const [lastName = '', lastValue] = pairs.at(-1) ?? []
  const isCut = lastName.startsWith(MIN_NAME_START) && SIGNATURE_PARAMETER.startsWith(lastName) && !lastValue
  return isCut || pairs.some(([name, value]) => SIGNATURE.test(name) || SIGNATURE.test(value))
}

/**
 * How a signed link can be read, the exact link first, then with the repair of what damages links. Any of them may be
 * tried, since only the one that the merchant signed has a valid signature.
 */
export function* signedReadings(exact: LinkText): Generator<LinkText> {
  yield exact
  const { segment, pairs } = splitGlued(exact)
  yield { segment, pairs }
  for (const shorter of withoutTrailing(segment)) yield { segment: shorter, pairs }
  // What mail tools append is not covered. It says nothing of where the link ended.
  const end = pairs.findLastIndex(([name]) => isSignedName(canonicalName(name)))
  const [name = '', value = ''] = pairs[end] ?? []
  for (const shorter of withoutTrailing(value)) {
    yield { segment, pairs: pairs.with(end, [name, shorter]) }
  }
}

/**
 * The parameters of a link without a signature. A last value that cannot be used as it stands is read without the
 * punctuation at its end.
 */
export function readRepaired(pairs: readonly Pair[]): LinkParameters {
  const exact = readParameters(pairs)
  const [name = '', value = ''] = pairs.at(-1) ?? []
  const isUsable = IS_USABLE[canonicalName(name) ?? '']
  if (isUsable === undefined || isUsable(exact)) return exact
  for (const shorter of withoutTrailing(value)) {
    const repaired = readParameters(pairs.with(-1, [name, shorter]))
    if (isUsable(repaired)) return repaired
  }
  return exact
}

/** Whether a parameter was read; those that are not listed take any text. */
const IS_USABLE: Readonly<Record<string, (parameters: LinkParameters) => boolean>> = {
  quantity: ({ quantity }) => quantity.kind === 'given',
  'buyer/email': ({ email }) => email !== undefined,
  client_reference_id: ({ clientReferenceId }) => clientReferenceId !== undefined,
}

function isSignedName(canonical: string | undefined): boolean {
  return canonical !== undefined && (canonical === SIGNATURE_PARAMETER || isCovered(canonical))
}

/** Takes the query out of the segment, and the parameters out of the values that they were glued to. */
function splitGlued({ segment, pairs }: LinkText): LinkText {
  const [items = '', query] = splitOnce(segment, QUERY_IN_SEGMENT)
  // The router has decoded it already.
  const inSegment = query === undefined ? [] : queryPairs(query.replace(/[%+]/g, encodeURIComponent))
  const all = [...inSegment, ...pairs].flatMap(([name, value]) => `${name}=${value}`.split(GLUE))
  const split = all.slice(0, MAX_PAIRS).map((piece): Pair => {
    const [name = '', value = ''] = splitOnce(piece, /=/)
    return [name, value]
  })
  return { segment: items, pairs: split }
}

function splitOnce(text: string, at: RegExp): [before: string, after?: string] {
  const index = text.search(at)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}
