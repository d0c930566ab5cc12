import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'

import { PATTERN_SENTENCES, type ProductEntry, ProductSchema, quantityLimits } from './product.ts'

/** One thing that is wrong in a catalog file, and where. */
export interface CatalogProblem {
  /** JSON Pointer (RFC 6901) from the top of the file; empty where the file as a whole is meant. */
  readonly pointer: string
  /** What is wrong and what would be right, for the merchant. */
  readonly message: string
  /** Counted from one. Absent where the file has no such place, or could not be read. */
  readonly line?: number
  /** In UTF-16 code units, counted from one, as editors do. */
  readonly column?: number
}

/** A catalog that cannot be sold from. It carries every problem found, not only the first. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  readonly problems: readonly CatalogProblem[]

  constructor(problems: readonly CatalogProblem[], options?: ErrorOptions) {
    const [first] = problems
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems, the first one is`
    const place = first?.line === undefined ? '' : `line ${first.line}, column ${first.column}: `
    const subject = first?.pointer ? `${first.pointer} ` : ''
    super(`The catalog has ${count}: ${place}${subject}${first?.message ?? 'unknown'}`, options)
    this.problems = problems
  }
}

/** A JSON Pointer made of its unescaped parts (RFC 6901, section 3). */
export function jsonPointer(...parts: (string | number)[]): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** Why a file cannot be read, and what to do about it. */
export function describeReadError(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
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
      return `${path} cannot be read${typeof code === 'string' ? ` (${code})` : ''}: check the path and the disk`
  }
}

/**
 * The first mistake in a text that `JSON.parse` refused with `error`. The position comes from a slower parser, because
 * `JSON.parse` gives one for some mistakes only.
 */
export function syntaxProblem(text: string, error: unknown): CatalogProblem {
  const { errors } = parseLeniently(text)
  const [first] = errors
  if (first === undefined) {
    return { pointer: '', message: `is not JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
  const offset = startOfWord(text, first.offset)
  const message = `is not JSON: ${describeSyntax(text, offset, printParseErrorCode(first.error))}`
  return { pointer: '', message, ...positionIn(text)(offset) }
}

// Of a malformed number, as far as it is looked at.
const MAX_NUMBER_LENGTH = 100

/** The parser reads 025 as a 0 and an unexpected 25, and 0x1f likewise: the mistake is the whole of it. */
function startOfWord(text: string, offset: number): number {
  if (!/[-+.\w]/.test(text.charAt(offset))) return offset
  const before = text.slice(Math.max(0, offset - MAX_NUMBER_LENGTH), offset)
  return offset - (/[-+.\w]*$/.exec(before)?.[0].length ?? 0)
}

function describeSyntax(text: string, offset: number, code: ReturnType<typeof printParseErrorCode>): string {
  const ahead = text.slice(offset, offset + 2)
  if (ahead === '') return 'the file ends in the middle: is it whole, are all brackets closed?'
  // First the usual ways of writing JavaScript instead of JSON.
  if (/^(?:\/\/|\/\*|#)/.test(ahead)) return 'JSON allows no comments: take this one out'
  if (/^['‘’“”„]/u.test(ahead)) return 'texts must be in plain double quotes: "'
  if (/^[-+.\d]/.test(ahead) && /Comma|Symbol|Number/.test(code) && !isNumber(text, offset)) {
    return 'this is not a number as JSON writes it, such as 2500'
  }
  switch (code) {
    case 'InvalidSymbol':
      return 'texts and keys must be in double quotes; only numbers, true, false and null go without'
    case 'PropertyNameExpected':
      if (ahead.startsWith('}') && followsComma(text, offset)) return trailingComma('}')
      return 'a key in double quotes is expected here'
    case 'ValueExpected':
      if (ahead.startsWith(']') && followsComma(text, offset)) return trailingComma(']')
      return 'a value is expected here'
    case 'ColonExpected':
      return 'a ":" is expected here, between the key and its value'
    case 'EndOfFileExpected':
      return 'nothing may follow the end of the document'
    case 'CommaExpected':
    case 'CloseBraceExpected':
    case 'CloseBracketExpected':
      return 'a "," or the closing bracket is expected here: perhaps a comma is missing just before'
    default:
      return 'this text in quotes is not closed on its line, or holds a bad escape (a backslash is written \\\\)'
  }
}

const isNumber = (text: string, offset: number) =>
  /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![-+.\w])/.test(
    text.slice(offset, offset + MAX_NUMBER_LENGTH),
  )

const followsComma = (text: string, offset: number) => text.slice(0, offset).trimEnd().endsWith(',')

const trailingComma = (bracket: string) =>
  `the comma before this "${bracket}" must go: JSON allows none after the last entry`

function parseLeniently(text: string): { root?: Node; errors: readonly ParseError[] } {
  const errors: ParseError[] = []
  try {
    return { root: parseTree(text, errors, { disallowComments: true }), errors }
  } catch (error) {
    // The parser calls itself for each level, and thousands of them are too many. Then there are no positions.
    if (!(error instanceof RangeError)) throw error
    return { errors }
  }
}

/** The problems with their lines and columns. Slow, so only for a file that has some. */
export function withPositions(text: string, problems: readonly CatalogProblem[]): readonly CatalogProblem[] {
  const { root } = parseLeniently(text)
  if (root === undefined) return problems
  const position = positionIn(text)
  return problems.map((problem) => ({ ...problem, ...position(nodeAt(root, problem.pointer).offset) }))
}

/** The key or the entry that the pointer names; what is missing is looked for where it would have to be. */
function nodeAt(root: Node, pointer: string): Node {
  let node = root
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const { type, children } = node.type === 'property' ? (node.children?.[1] ?? node) : node
    // Of a key that is written twice, the last one counts.
    const isNamed = (child: Node) => child.children?.[0]?.value === key
    const child = type === 'array' ? children?.[Number(key)] : children?.findLast(isNamed)
    if (child === undefined) return node
    node = child
  }
  return node
}

function positionIn(text: string): (offset: number) => { line: number; column: number } {
  const lineStarts = [0, ...Array.from(text.matchAll(/\r\n|\n|\r/g), (end) => end.index + end[0].length)]
  return (offset) => {
    let [line, after] = [0, lineStarts.length]
    while (after - line > 1) {
      const middle = (line + after) >> 1
      if ((lineStarts[middle] ?? 0) <= offset) line = middle
      else after = middle
    }
    return { line: line + 1, column: offset - (lineStarts[line] ?? 0) + 1 }
  }
}

const product = Compile(ProductSchema)

/** Whether the entry keeps every rule that the schema can state of one field. Fast. */
export function isProductEntry(entry: unknown): entry is ProductEntry {
  return product.Check(entry)
}

/** Every problem that the schema finds in one entry; `pointer` is where the entry is in the file. */
export function schemaProblems(entry: unknown, pointer: string): CatalogProblem[] {
  const errors = allErrors(entry)
  const mistyped = new Set(errors.filter(isTypeError).map((error) => error.instancePath))
  // Which other rules a value of the wrong type breaks does not matter.
  const telling = errors.filter((error) => isTypeError(error) || !mistyped.has(error.instancePath))
  const problems = telling.flatMap((error) => describe(error, pointer))
  // An entry that was refused must never look fine because no sentence describes the error.
  return problems.length > 0 ? problems : [{ pointer, message: 'is not a product' }]
}

/** Fields of one entry that contradict each other, also in an entry that has other problems. */
export function contradictions(
  { starts_at, ends_at, adjustable_quantity }: Readonly<Record<string, unknown>>,
  pointer: string,
): CatalogProblem[] {
  const problems: CatalogProblem[] = []
  if (typeof starts_at === 'string' && typeof ends_at === 'string') {
    // NaN, which compares as false, where one of the two is no date.
    if (Date.parse(starts_at) >= Date.parse(ends_at)) {
      problems.push({ pointer: `${pointer}/ends_at`, message: 'must be later than starts_at' })
    }
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

/** TypeBox stops at eight errors by default; the setting is global, so it is restored at once. */
function allErrors(entry: unknown): TLocalizedValidationError[] {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: Number.POSITIVE_INFINITY })
  try {
    return product.Errors(entry)
  } finally {
    Settings.Set({ maxErrors })
  }
}

function isTypeError(error: TLocalizedValidationError): boolean {
  return error.keyword === 'type'
}

export const UNKNOWN_KEY = 'is not a key of the catalog: correct the spelling, or take it out'

function describe(error: TLocalizedValidationError, entryPointer: string): CatalogProblem[] {
  const pointer = entryPointer + error.instancePath
  const each = (keys: readonly string[], message: string) =>
    keys.map((key) => ({ pointer: pointer + jsonPointer(key), message }))
  switch (error.keyword) {
    case 'required':
      return each(error.params.requiredProperties, 'is missing')
    case 'additionalProperties':
      return each(error.params.additionalProperties, UNKNOWN_KEY)
    // Reported once more by the `additionalProperties` error, and by those of the name itself.
    case 'boolean':
    case 'propertyNames':
      return []
    default:
      return [{ pointer, message: sentence(error) }]
  }
}

function sentence(error: TLocalizedValidationError): string {
  switch (error.keyword) {
    case 'type':
      return `must be ${TYPE_NAMES[String(error.params.type)] ?? String(error.params.type)}`
    case 'enum':
      return `must be ${error.params.allowedValues.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'minimum':
      return `must be at least ${error.params.limit}`
    case 'maximum':
      return `must be at most ${error.params.limit}`
    case 'minLength':
      return 'must not be empty'
    case 'maxLength':
      return `must have at most ${error.params.limit} characters`
    case 'maxItems':
    case 'maxProperties':
      return `must have at most ${error.params.limit} entries`
    case 'pattern':
      return PATTERN_SENTENCES[String(error.params.pattern)] ?? error.message
    case '~refine':
      return error.params.message
    default:
      return error.message
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  integer: 'a whole number, without quotes and decimals',
  string: 'a text in double quotes',
  boolean: 'true or false, without quotes',
  array: 'a list in square brackets',
  object: 'an object in curly brackets',
}
