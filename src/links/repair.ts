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
  /[\s\p{Cf}\p{Pe}\p{Pi}\p{Pf}.,;:!?>"'*_…„‚،؛؟۔٭。、．，；：！？＞＂＇＊＿｡､︐︑︒︓︔︕︖︙﹐﹑﹒﹔﹕﹖﹗﹡﹥]/u
const TRAILING_END = new RegExp(`${TRAILING.source}$`, 'u')
/** Text around a link never ends it with nearly as many; each is one more reading of the link. */
const MAX_TRAILING = 20

/** What stands for an `&` in a damaged value, if a known name and a `=` follow. One at a time, for linear time. */
const GLUE = new RegExp(`(?:\\?|%3[Ff]|&(?:amp;)*|%26(?:amp;)*|;|\\s)(?=/?(?:${KNOWN_NAME})=)`, 'u')
/** Where a query begins whose `?` was escaped or replaced. */
const QUERY_IN_SEGMENT = /[?&](?=[^?&=]+=)/

/** Markdown and a second percent-encoding change the underscore. */
const UNDERSCORE = '(?:\\\\?_|%(?:25)*5F)'
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
export function* withoutTrailing(text: string): Generator<string> {
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
  const texts = pairs.map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  // With a slash before it, a sku `link` is not taken for the name of a parameter.
  return [`/buy/${segment}`, ...texts]
    .map((text) => text.replace(/\p{Cf}/gu, ''))
    .some((text) => SIGNATURE.test(text) || ALTERED_NAME.test(text) || CUT_NAME.test(text))
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
