import { type JSONPath, type JSONVisitor, printParseErrorCode, visit } from 'jsonc-parser'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'

import { typingErrors } from '../plain-form.ts'
import { PATTERN_SENTENCES, type ProductEntry, ProductSchema, quantityLimits } from './product.ts'

/** One thing that is wrong in a catalog file, and where. */
export interface CatalogProblem {
  /** JSON Pointer (RFC 6901) from the top of the file; empty where the file as a whole is meant. */
  readonly pointer: string
  /** What is wrong and what would be right, for the merchant. */
  readonly message: string
  /** Of the product, where it is known. */
  readonly sku?: string
  /** Counted from one. Absent where the file has no such place, or could not be read. */
  readonly line?: number
  /** In UTF-16 code units, counted from one, as editors do. */
  readonly column?: number
}

/** A catalog file that is invalid. The error has every problem that was found, not only the first. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  readonly problems: readonly CatalogProblem[]

  constructor(problems: readonly CatalogProblem[], options?: ErrorOptions) {
    super(['The catalog is invalid:', ...problems.map((one) => `  ${problemLine(one)}`)].join('\n'), options)
    this.problems = problems
  }
}

/** A problem as `catalog.json:12:5  /products/0/amount  tee-black-m: must be …`, without what is not known. */
export function problemLine({ pointer, message, sku, line, column }: CatalogProblem, path?: string): string {
  const position = [path, line, column].filter((part) => part !== undefined).join(':')
  const sentence = sku === undefined ? message : `${printable(sku)}: ${message}`
  return [position, pointer, sentence].filter((part) => part !== '').join('  ')
}

/** A text for a terminal: without what could move its cursor. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '\ufffd')
}

/** The error for a file as a whole. */
export function fileError(message: string, cause?: unknown): CatalogError {
  return new CatalogError([{ pointer: '', message }], { cause })
}

/** A JSON Pointer made of its unescaped parts (RFC 6901, section 3). */
export function jsonPointer(...parts: JSONPath): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** Why a file cannot be read, and what to do about it. */
export function describeReadError(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : error
  switch (code) {
    case 'ENOENT':
      return `there is no file ${path}: create it, or set CATALOG_PATH to where the catalog is`
    case 'EACCES':
    case 'EPERM':
      return `${path} may not be read by the user that runs this: give that user read permission`
    case 'EISDIR':
      return `${path} is a directory: name the file itself (a container makes an empty directory where the mounted file is missing)`
    case 'ENOTDIR':
      return `${path} leads through something that is no directory: correct the path`
    default:
      return `${path} cannot be read (${code}): check the path and the disk`
  }
}

/** The error for a text that `JSON.parse` refused with `cause`, which has a position for some mistakes only. */
export function syntaxError(text: string, cause: unknown): CatalogError {
  return new CatalogError([syntaxMistake(text) ?? { pointer: '', message: `is not JSON: ${cause}` }], {
    cause,
  })
}

/** The first mistake in a text that is not JSON, found by a slower parser than `JSON.parse`. */
export function syntaxMistake(text: string): CatalogProblem | undefined {
  const mistakes: { code: SyntaxCode; at: number; line: number; character: number }[] = []
  visitJson(text, {
    onError: (code, at, _length, line, character) =>
      mistakes.push({ code: printParseErrorCode(code), at, line, character }),
  })
  const [first] = mistakes
  if (first === undefined) return undefined
  const offset = startOfWord(text, first.at)
  const message = `is not JSON: ${describeSyntax(text, offset, first.code)}`
  const column = first.character + 1 - (first.at - offset)
  return { pointer: '', message, line: first.line + 1, column }
}

type SyntaxCode = ReturnType<typeof printParseErrorCode>

// How many characters of a malformed number are examined.
const MAX_NUMBER_LENGTH = 100

/** The parser reads 025 as a 0 and an unexpected 25, and 0x1f likewise: the mistake is the whole of it. */
function startOfWord(text: string, offset: number): number {
  if (!/[-+.\w]/.test(text.charAt(offset))) return offset
  const before = text.slice(Math.max(0, offset - MAX_NUMBER_LENGTH), offset)
  return offset - (/[-+.\w]*$/.exec(before)?.[0].length ?? 0)
}

function describeSyntax(text: string, offset: number, code: SyntaxCode): string {
  const ahead = text.slice(offset, offset + MAX_NUMBER_LENGTH)
  if (ahead === '') return 'the file ends in the middle: is it whole, are all brackets closed?'
  // First the usual ways of writing JavaScript instead of JSON.
  if (/^(?:\/\/|\/\*|#)/.test(ahead)) return 'JSON allows no comments: take this one out'
  if (/^['‘’“”„]/u.test(ahead)) return 'texts must be in plain double quotes: "'
  if (/^[-+.\d]/.test(ahead) && /Comma|Symbol|Number/.test(code) && !JSON_NUMBER.test(ahead)) {
    return 'this is not a number as JSON writes it, such as 2500'
  }
  if (/^[}\]]/.test(ahead) && /Name|Value/.test(code) && text.slice(0, offset).trimEnd().endsWith(',')) {
    return `the comma before this "${ahead[0]}" must go: JSON allows none after the last entry`
  }
  return SYNTAX_SENTENCES[code] ?? BAD_TEXT
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![-+.\w])/
const BAD_TEXT =
  'this text in quotes is not closed on its line, or holds a bad escape (a backslash is written \\\\)'
const MISSING_COMMA = 'a "," or the closing bracket is expected here: perhaps a comma is missing just before'
const SYNTAX_SENTENCES: Partial<Record<SyntaxCode, string>> = {
  InvalidSymbol: 'texts and keys must be in double quotes; only numbers, true, false and null go without',
  PropertyNameExpected: 'a key in double quotes is expected here',
  ValueExpected: 'a value is expected here',
  ColonExpected: 'a ":" is expected here, between the key and its value',
  EndOfFileExpected: 'nothing may follow the end of the document',
  CommaExpected: MISSING_COMMA,
  CloseBraceExpected: MISSING_COMMA,
  CloseBracketExpected: MISSING_COMMA,
}

export function visitJson(text: string, visitor: JSONVisitor): void {
  try {
    visit(text, visitor, { disallowComments: true })
  } catch (error) {
    // The parser calls itself for each level, and thousands of them are too many. What follows is not visited.
    if (!(error instanceof RangeError)) throw error
  }
}

const product = Compile(ProductSchema)
// Instead of the first eight. The setting is global, but nothing else in the service lists errors.
Settings.Set({ maxErrors: Number.POSITIVE_INFINITY })

/** Whether the entry keeps every rule that the schema can state of one field. Fast. */
export function isProductEntry(entry: unknown): entry is ProductEntry {
  return product.Check(entry)
}

/** Every problem that the schema finds in one entry; `pointer` is where the entry is in the file. */
export function schemaProblems(entry: unknown, pointer: string): CatalogProblem[] {
  const errors = product.Errors(entry)
  const mistyped = new Set(errors.filter(isTypeError).map((error) => error.instancePath))
  // Which other rules a value of the wrong type breaks does not matter.
  const relevant = errors.filter((error) => isTypeError(error) || !mistyped.has(error.instancePath))
  const problems = relevant.flatMap((error) => describe(error, pointer))
  // An entry that was refused must never look fine because no sentence describes the error.
  return problems.length > 0 ? problems : [{ pointer, message: 'is not a product' }]
}

/** Fields of one entry that contradict each other, also in an entry that has other problems. */
export function contradictions(
  { starts_at, ends_at, adjustable_quantity }: Readonly<Record<string, unknown>>,
  pointer: string,
): CatalogProblem[] {
  const problems: CatalogProblem[] = []
  const areTexts = typeof starts_at === 'string' && typeof ends_at === 'string'
  // NaN, which compares as false, where one of the two is no date.
  if (areTexts && Date.parse(starts_at) >= Date.parse(ends_at)) {
    problems.push({ pointer: `${pointer}/ends_at`, message: 'must be later than starts_at' })
  }
  if (typeof adjustable_quantity === 'object' && adjustable_quantity !== null) {
    const { minimum, maximum } = quantityLimits({ adjustable_quantity })
    // Where one of the two is no valid count, the schema has already reported it.
    const areCounts = [minimum, maximum].every((limit) => Number.isInteger(limit) && limit >= 1)
    if (areCounts && minimum > maximum) {
      const message = `minimum ${minimum} must not be above maximum ${maximum}, which is 99 where absent`
      problems.push({ pointer: `${pointer}/adjustable_quantity`, message })
    }
  }
  return problems
}

const isTypeError = ({ keyword }: TLocalizedValidationError) => keyword === 'type'

/** What other programs call the keys, and people. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  amount: ['price', 'unitamount', 'unitprice', 'pricecents', 'amountcents', 'cents', 'cost', 'value'],
  name: ['title', 'label', 'productname', 'product'],
  sku: ['id', 'code', 'productid', 'variantsku', 'articlenumber'],
  images: ['image', 'picture', 'pictures', 'photo', 'photos', 'img', 'imageurl', 'imagesrc'],
  description: ['desc', 'details', 'text', 'summary', 'body'],
  active: ['enabled', 'available', 'published', 'visible', 'onsale'],
  adjustable_quantity: ['quantity', 'qty', 'quantities', 'limits', 'quantitylimits'],
  minimum: ['min', 'least', 'from'],
  maximum: ['max', 'most', 'to'],
  starts_at: ['start', 'startdate', 'from', 'availablefrom', 'validfrom'],
  ends_at: ['end', 'enddate', 'until', 'availableuntil', 'validuntil', 'expiresat'],
  restrictions: ['stock', 'inventory', 'limit', 'maxsales'],
  completed_sessions: ['sales', 'orders', 'sessions'],
  inactive_message: ['message', 'note', 'soldoutmessage'],
  custom_message: ['message', 'text', 'note'],
  redirect_url: ['url', 'redirect', 'link'],
  after_completion: ['redirecturl', 'successurl', 'thankyou', 'aftersale'],
  metadata: ['meta', 'attributes', 'tags', 'custom'],
  products: ['product', 'items', 'catalog'],
}

/** `allowed`: the keys that the object may have. */
export function unknownKey(key: string, allowed: readonly string[]): string {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  const wanted = plain(key)
  const meant =
    allowed.find((name) => OTHER_NAMES[name]?.includes(wanted)) ??
    allowed.find((name) => typingErrors(plain(name), wanted, 2) <= Math.min(2, wanted.length / 2))
  const hint = meant === undefined ? 'correct the spelling, or take it out' : `do you mean "${meant}"?`
  return `is not a key of the catalog: ${hint}`
}

/** The keys of the object at a place in a product. */
function keysAt(pointer: string): readonly string[] {
  let schema: unknown = ProductSchema
  for (const key of pointer.split('/').slice(1)) schema = propertiesOf(schema)[key]
  return Object.keys(propertiesOf(schema))
}

function propertiesOf(schema: unknown): Record<string, unknown> {
  const has = typeof schema === 'object' && schema !== null && 'properties' in schema
  return has && typeof schema.properties === 'object' ? { ...schema.properties } : {}
}

/** What a whole number of the catalog has to be. */
export function wholeNumberRule(key: unknown): string {
  return key === 'amount'
    ? 'a whole number of cents, without quotes, point and exponent: 2500 is $25.00'
    : 'a whole number, without quotes, point and exponent'
}

function describe(error: TLocalizedValidationError, entryPointer: string): CatalogProblem[] {
  const pointer = entryPointer + error.instancePath
  const here = (message: string) => [{ pointer, message }]
  const each = (keys: readonly string[], message: string) =>
    keys.map((key) => ({ pointer: pointer + jsonPointer(key), message }))
  switch (error.keyword) {
    case 'required':
      return each(error.params.requiredProperties, 'is missing')
    case 'additionalProperties':
      return error.params.additionalProperties.flatMap((key) =>
        each([key], unknownKey(key, keysAt(error.instancePath))),
      )
    // Reported once more by the `additionalProperties` error, and by those of the name itself.
    case 'boolean':
    case 'propertyNames':
      return []
    case 'type':
      return here(
        `must be ${error.params.type === 'integer' ? wholeNumberRule(lastKey(pointer)) : TYPE_NAMES[String(error.params.type)]}`,
      )
    case 'enum':
      return here(`must be ${error.params.allowedValues.map((value) => JSON.stringify(value)).join(' or ')}`)
    case 'minimum':
      return here(`must be at least ${error.params.limit}${unitOf(pointer)}`)
    case 'maximum':
      return here(`must be at most ${error.params.limit}${unitOf(pointer)}`)
    case 'minLength':
      return here('must not be empty')
    case 'maxLength':
      return here(`must have at most ${error.params.limit} characters`)
    case 'maxItems':
    case 'maxProperties':
      return here(`must have at most ${error.params.limit} entries`)
    case 'pattern':
      return here(PATTERN_SENTENCES[String(error.params.pattern)] ?? error.message)
    case '~refine':
      return here(error.params.message)
    default:
      return here(error.message)
  }
}

function lastKey(pointer: string): string {
  return pointer.slice(pointer.lastIndexOf('/') + 1)
}

function unitOf(pointer: string): string {
  return lastKey(pointer) === 'amount' ? ' (cents)' : ''
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text in double quotes',
  boolean: 'true or false, without quotes',
  array: 'a list in square brackets',
  object: 'an object in curly brackets',
}
