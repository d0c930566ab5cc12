import { canonicalName, isCovered, KNOWN_NAME, SIGNATURE_PARAMETER } from './parameter-name.ts'
import { type LinkParameters, MAX_PAIRS, type Pair, queryPairs, readParameters } from './parameters.ts'
import { isUnfilled } from './placeholders.ts'

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
  /[\s\p{Cf}\p{Pe}\p{Pi}\p{Pf}.,;:!?>"'*_…„‚،؛؟۔٭。、．，；：！？＞＂＇＊＿｡､︐︑︒︓︔︕︖︙﹐﹑﹒﹔﹕﹖﹗﹡﹥]/u
const TRAILING_END = new RegExp(`${TRAILING.source}$`, 'u')
/** Text around a link never ends it with nearly as many; each is one more reading of the link. */
const MAX_TRAILING = 20

/** What stands for an `&` in a damaged value, if a known name and a `=` follow. One at a time, for linear time. */
const GLUE = new RegExp(`(?:\\?|%(?:25)*3[Ff]|(?:&|%(?:25)*26)(?:amp;)*|;|\\s)(?=/?(?:${KNOWN_NAME})=)`, 'u')
/** Where a query begins whose `?` was escaped or replaced, or whose end is all that is left of it. */
const QUERY_IN_SEGMENT = new RegExp(
  `(?:[?&]|%(?:25)*(?:3F|26))(?=[^?&=]+=|(?:amp;)*$)|(?:;|\\s)(?=/?(?:${KNOWN_NAME})=)`,
  'iu',
)

/** Without one of these there is nothing glued to a value. */
const MAY_BE_GLUE = /[?%&;\s]/

/** Markdown and a second percent-encoding change the underscore. */
const UNDERSCORE = '(?:\\\\?_|%(?:25)*5F)'
/** Nearly no other link has this in it. */
const MAY_MENTION = /l\p{Cf}*i\p{Cf}*n\p{Cf}*k/iu
const SIGNATURE = new RegExp(`link${UNDERSCORE}signature`, 'i')
/** At the start of a name also without its underscore, or with another sign in its place. */
const ALTERED_NAME = /^(?:amp;)*\/?link(?:[-＿]|=5F)?signature/i
/** `s`, `si`, `sig` … or nothing: what a cut leaves of the name behind its underscore. */
const NAME_REST = [...'signature'].reduceRight((rest, letter) => `(?:${letter}${rest})?`, '')
/**
 * The start of the signature's name, where a link was cut inside it: `link` at least, as `l` or `lin` may be anybody's
 * parameter. Half an escape and punctuation may follow, then nothing, or what somebody appended. Inside a segment or a
 * value it has to have its underscore.
 */
const CUT_NAME = new RegExp(
  `(?:^(?:amp;)*/?link|(?:[?&;]|%3F|%26)/?link(?=${UNDERSCORE}))(?:${UNDERSCORE}${NAME_REST})?` +
    `(?:\\\\|%[\\dA-F]*)?${TRAILING.source}{0,${MAX_TRAILING}}(?:$|[?&;\\s]|%3F|%26)`,
  'iu',
)

/** The text without one, two, three … characters of punctuation at its end. */
function* withoutTrailing(text: string): Generator<string> {
  let rest = text
  for (let count = 0; count < MAX_TRAILING && TRAILING_END.test(rest); count++) {
    rest = rest.replace(TRAILING_END, '')
    yield rest
  }
}

/**
 * Whether a link carries a signature anywhere, also a damaged one or the start of its name: such a link is never sold as a
 * plain one.
 */
export function mentionsSignature({ segment, pairs }: LinkText): boolean {
  if (!MAY_MENTION.test(segment) && !pairs.some((pair) => MAY_MENTION.test(pair.join()))) return false
  const texts = pairs.map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  // With a slash before it, a sku `link` is not taken for the name of a parameter.
  return [`/buy/${segment}`, ...texts]
    .map((text) => text.replace(/\p{Cf}/gu, ''))
    .some((text) => SIGNATURE.test(text) || ALTERED_NAME.test(text) || CUT_NAME.test(text))
}

/**
 * Reads a link without a signature: as it came, or else with what damaged it taken away. `find` is asked what a segment
 * names, first the whole one, then without the punctuation at its end, one character after the other, then up to where a
 * query begins in it. It returns undefined for nothing known. What is found in none of these ways is undefined here, too.
 */
export function repairLink<Found>(
  { segment, pairs }: LinkText,
  find: (segment: string) => Found | undefined,
) {
  const found = findWithoutTrailing(segment, find)
  if (found !== undefined) return { found, parameters: readRepaired(pairs) }
  const { items, inSegment } = splitSegment(segment)
  return {
    found: items === segment ? undefined : findWithoutTrailing(items, find),
    parameters: readRepaired([...inSegment, ...pairs]),
  }
}

function findWithoutTrailing<Found>(segment: string, find: (segment: string) => Found | undefined) {
  const exact = find(segment)
  if (exact !== undefined) return exact
  for (const shorter of withoutTrailing(segment)) {
    const removed = segment[shorter.length]
    // In a permalink they are grammar: a quantity or an item is missing behind them.
    if (removed === ':' || (removed === ',' && /[:,]/.test(shorter))) return undefined
    const found = find(shorter)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * How a signed link can be read, the exact link first, then with the repair of what damages links. Any of them may be
 * tried, since only the one that the merchant signed has a valid signature.
 */
export function* signedReadings(exact: LinkText): Generator<LinkText> {
  yield exact
  const { items, inSegment } = splitSegment(exact.segment)
  const pairs = splitGlued([...inSegment, ...exact.pairs]).map(({ pair }) => pair)
  yield { segment: items, pairs }
  for (const shorter of withoutTrailing(items)) yield { segment: shorter, pairs }
  // What mail tools append is not covered. It says nothing of where the link ended.
  const end = pairs.findLastIndex(([name]) => isSignedName(canonicalName(name)))
  const [name = '', value = ''] = pairs[end] ?? []
  for (const shorter of withoutTrailing(value)) {
    yield { segment: items, pairs: pairs.with(end, [name, shorter]) }
  }
}

/** Most links have no query. They share this object, which nothing changes. */
const NO_PARAMETERS = readParameters([])

/**
 * The parameters of a link without a signature. What is glued to a value is taken from it, and a value at the end of the
 * link, or before what is glued to it, is read without the punctuation behind it where it cannot be used as it is.
 */
export function readRepaired(pairs: readonly Pair[]): LinkParameters {
  const last = pairs.at(-1)
  if (last === undefined) return NO_PARAMETERS
  if (pairs.every(isWhole)) {
    const exact = readParameters(pairs)
    return canUse(last[0], exact) ? exact : readParameters(pairs.with(-1, usablePart(last)))
  }
  const pieces = pairs.flatMap((pair, index) =>
    isWhole(pair) ? { pair, isEnd: index === pairs.length - 1 } : splitGlued([pair]),
  )
  return readParameters(
    pieces
      .slice(0, MAX_PAIRS)
      .map(({ pair, isEnd }, index) => (isEnd || index === pieces.length - 1 ? usablePart(pair) : pair)),
  )
}

/** Whether nothing can be glued to a value. A path of the shop may have a query of its own. */
function isWhole([name, value]: Pair): boolean {
  return !MAY_BE_GLUE.test(value) || canonicalName(name) === 'continue_to'
}

/** The pair itself where its value can be used, else the longest usable part of it before punctuation. */
function usablePart(pair: Pair): Pair {
  const [name, value] = pair
  if (isUnfilled(value) || canUse(name, readParameters([pair]))) return pair
  for (const shorter of withoutTrailing(value)) {
    // `__NAME__` is a placeholder, and `__NAME` would be a reference.
    if (shorter === '' || isUnfilled(shorter)) break
    if (canUse(name, readParameters([[name, shorter]]))) return [name, shorter]
  }
  return pair
}

function canUse(name: string, parameters: LinkParameters): boolean {
  return IS_USABLE[canonicalName(name) ?? '']?.(parameters) ?? true
}

/** Whether a parameter was read; those that are not listed take any text. */
const IS_USABLE: Readonly<Record<string, (parameters: LinkParameters) => boolean>> = {
  quantity: ({ quantity }) => quantity.kind !== 'invalid',
  'buyer/email': ({ email }) => email !== undefined,
  client_reference_id: ({ clientReferenceId }) => clientReferenceId !== undefined,
}

function isSignedName(canonical: string | undefined): boolean {
  return canonical !== undefined && (canonical === SIGNATURE_PARAMETER || isCovered(canonical))
}

/** The segment up to where a query begins in it, and the pairs of that query. */
function splitSegment(segment: string): { items: string; inSegment: readonly Pair[] } {
  const [items = '', query] = splitOnce(segment, QUERY_IN_SEGMENT)
  if (query === undefined) return { items: segment, inSegment: [] }
  // The router has decoded it already.
  return { items, inSegment: queryPairs(query.replace(/[%+]/g, encodeURIComponent)) }
}

/** Takes the parameters out of the values that they were glued to. `isEnd`: something was glued to this one. */
function splitGlued(pairs: readonly Pair[]): { pair: Pair; isEnd: boolean }[] {
  const split = pairs.flatMap(([name, value]) => {
    const pieces = `${name}=${value}`.split(GLUE)
    return pieces.map((piece, index) => {
      const [first = '', rest = ''] = splitOnce(piece, /=/)
      const pair: Pair = [first, rest]
      return { pair, isEnd: index < pieces.length - 1 }
    })
  })
  return split.slice(0, MAX_PAIRS)
}

function splitOnce(text: string, at: RegExp): [before: string, after?: string] {
  const match = at.exec(text)
  return match === null ? [text] : [text.slice(0, match.index), text.slice(match.index + match[0].length)]
}
