import type { JSONPath } from 'jsonc-parser'
import { type CatalogProblem, jsonPointer, visitJson, wholeNumberRule } from './problems.ts'
import type { EntryText } from './split.ts'

/** Half of a character, and control characters but for tab, LF and CR LF. */
const NO_TEXT = /\p{Cs}|(?![\t\n])\p{Cc}(?<!\r(?=\n))/u

/**
 * What `JSON.parse` does not tell of a valid text, or of a part of it at `pointer`: keys that are written twice, numbers
 * with a point or an exponent, and characters that no text has.
 */
export function writingProblems(text: string, pointer = ''): CatalogProblem[] {
  const problems: CatalogProblem[] = []
  const add = (path: JSONPath, message: string) =>
    problems.push({ pointer: pointer + jsonPointer(...path), message })
  const checkText = (value: string, path: JSONPath) => {
    const [bad] = NO_TEXT.exec(value) ?? []
    if (bad === undefined) return
    const code = `U+${(bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
    add(
      path,
      bad.isWellFormed()
        ? `holds the control character ${code}: take it out`
        : `holds half of a character, ${code}: write the whole one`,
    )
  }
  const keys: Set<string>[] = []
  visitJson(text, {
    onObjectBegin: () => void keys.push(new Set()),
    onObjectEnd: () => void keys.pop(),
    onObjectProperty: (key, _offset, _length, _line, _character, path) => {
      if (keys.at(-1)?.has(key)) add([...path(), key], 'is written twice in one object: keep one of the two')
      keys.at(-1)?.add(key)
      checkText(key, [...path(), key])
    },
    onLiteralValue: (value, offset, length, _line, _character, path) => {
      if (typeof value === 'string') checkText(value, path())
      const number = text.slice(offset, offset + length)
      if (typeof value === 'number' && !/^-?\d+$/.test(number)) {
        add(path(), `must be ${wholeNumberRule(path().at(-1))}, and not ${number}`)
      }
    },
  })
  return problems
}

/**
 * The problems with the lines and columns of their keys or entries; what is missing has the position of what should hold
 * it. Slow, so only for a file that has problems.
 */
export function withPositions(text: string, problems: readonly CatalogProblem[]): CatalogProblem[] {
  // A large file has millions of places.
  const wanted = new Set(problems.flatMap(({ pointer }) => ancestors(pointer)))
  const positions = new Map<string, { line: number; column: number }>()
  const mark = (path: JSONPath, line: number, character: number) => {
    const pointer = jsonPointer(...path)
    if (wanted.has(pointer)) positions.set(pointer, { line: line + 1, column: character + 1 })
  }
  const markEntry = (_at: number, _length: number, line: number, character: number, path: () => JSONPath) => {
    // A value in an object is marked by its key.
    if (typeof path().at(-1) !== 'string') mark(path(), line, character)
  }
  visitJson(text, {
    onObjectBegin: markEntry,
    onArrayBegin: markEntry,
    onLiteralValue: (_value, ...place) => markEntry(...place),
    // Of a key that is written twice, the last one counts, as for JSON.parse.
    onObjectProperty: (key, _offset, _length, line, character, path) =>
      mark([...path(), key], line, character),
  })
  return problems.map((problem) => {
    let { pointer } = problem
    while (pointer !== '' && !positions.has(pointer)) pointer = parent(pointer)
    return { ...problem, ...positions.get(pointer) }
  })
}

function parent(pointer: string): string {
  return pointer.slice(0, pointer.lastIndexOf('/'))
}

/** The pointer, and those of everything that holds it. */
function ancestors(pointer: string): string[] {
  return pointer === '' ? [''] : [pointer, ...ancestors(parent(pointer))]
}

/** A problem of an entry: its line and column count from where the entry begins. */
export interface EntryProblem extends CatalogProblem {
  /** How many bytes of the file are before the entry. */
  offset?: number
}

/** The problems of an entry with their positions in it. `pointer` is where the entry is in the file. */
export function placeInEntry(
  { text, offset }: EntryText,
  problems: readonly CatalogProblem[],
  pointer: string,
): EntryProblem[] {
  const inEntry = problems.map((problem) => ({ ...problem, pointer: problem.pointer.slice(pointer.length) }))
  return withPositions(text, inEntry).map((problem) => ({
    ...problem,
    pointer: pointer + problem.pointer,
    offset,
  }))
}

/** The problems of entries with their positions in the whole file, which is read once more. */
export async function placeInFile(
  chunks: AsyncIterable<Buffer>,
  problems: readonly EntryProblem[],
): Promise<CatalogProblem[]> {
  const offsets = [...new Set(problems.map(({ offset = 0 }) => offset))].sort((a, b) => a - b)
  const places = new Map<number, { line: number; column: number }>()
  let [line, column, position] = [0, 0, 0]
  const pass = (bytes: Buffer) => {
    const lineEnd = bytes.lastIndexOf(LF)
    for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) line += 1
    column = (lineEnd < 0 ? column : 0) + utf16Length(bytes.subarray(lineEnd + 1))
  }
  for await (const chunk of chunks) {
    // Editors do not count a byte order mark.
    if (position === 0 && chunk.indexOf('\ufeff') === 0) column = -1
    let at = 0
    for (const offset of offsets.slice(places.size)) {
      if (offset > position + chunk.length) break
      pass(chunk.subarray(at, offset - position))
      at = offset - position
      places.set(offset, { line, column })
    }
    pass(chunk.subarray(at))
    position += chunk.length
  }
  return problems.map(({ offset = 0, ...problem }) => {
    const { line: before = 0, column: indent = 0 } = places.get(offset) ?? {}
    const { line: inEntry = 1, column: within = 1 } = problem
    return { ...problem, line: before + inEntry, column: inEntry === 1 ? indent + within : within }
  })
}

const LF = 0x0a

/** How many UTF-16 code units some UTF-8 has. A character that begins before it is not counted. */
function utf16Length(bytes: Buffer): number {
  let length = 0
  for (const byte of bytes) length += (byte & 0xc0) === 0x80 ? 0 : byte >= 0xf0 ? 2 : 1
  return length
}
