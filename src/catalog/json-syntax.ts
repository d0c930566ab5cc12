/** Where a text stops being JSON, and what would mend it. Lines and columns count from one. */
export interface SyntaxProblem {
  readonly line: number
  readonly column: number
  readonly message: string
}

const WHITE_SPACE = /[ \t\n\r]*/y
// Strings are unrolled (plain, then escape and plain again), so that a long one does not exhaust the stack.
const TOKEN =
  /[{}[\]:,]|"[^"\\\p{Cc}]*(?:(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|[\x7f-\x9f])[^"\\\p{Cc}]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)\b/uy

type Expected = 'value' | 'first item' | 'first key' | 'key' | 'colon' | 'comma' | 'end'

const SENTENCES: Record<Expected, string> = {
  value: 'a value must stand here',
  'first item': 'a value or "]" must stand here',
  'first key': 'a key in double quotes or "}" must stand here',
  key: 'a key in double quotes must stand here',
  colon: 'a ":" must stand here, between the key and its value',
  comma: 'a "," or the closing bracket must stand here: perhaps a comma is missing just before',
  end: 'nothing may follow the end of the document',
}

/**
 * Finds the first place where a text breaks RFC 8259. `JSON.parse` tells the position for some mistakes only;
 * this is slower and is meant for texts that it refused. Answers undefined where it finds no mistake.
 */
export function findSyntaxProblem(text: string): SyntaxProblem | undefined {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let offset = 0
  const closed = (): Expected => (open.length === 0 ? 'end' : 'comma')

  for (;;) {
    WHITE_SPACE.lastIndex = offset
    offset += WHITE_SPACE.exec(text)?.[0].length ?? 0
    if (offset >= text.length) {
      if (expected === 'end') return undefined
      return problemAt(text, offset, 'the file ends in the middle: is it whole, are all brackets closed?')
    }
    TOKEN.lastIndex = offset
    const token = TOKEN.exec(text)?.[0]
    if (token === undefined) return problemAt(text, offset, describeStray(text.slice(offset, offset + 12)))

    const inside = open.at(-1)
    const next = step(token, expected, inside)
    if (next === undefined) return problemAt(text, offset, hint(token, expected))
    if (next === 'push') {
      const bracket = token === '{' ? '{' : '['
      open.push(bracket)
      expected = bracket === '{' ? 'first key' : 'first item'
    } else if (next === 'pop') {
      open.pop()
      expected = closed()
    } else {
      expected = next === 'closed' ? closed() : next
    }
    offset += token.length
  }
}

/** What follows a token, or undefined where the token may not stand. */
function step(token: string, expected: Expected, inside: '{' | '[' | undefined) {
  if (expected === 'colon') return token === ':' ? 'value' : undefined
  if (expected === 'comma') {
    if (token === ',') return inside === '{' ? 'key' : 'value'
    return token === (inside === '{' ? '}' : ']') ? 'pop' : undefined
  }
  if (expected === 'first key' && token === '}') return 'pop'
  if (expected === 'first key' || expected === 'key') return token.startsWith('"') ? 'colon' : undefined
  if (expected === 'first item' && token === ']') return 'pop'
  if (expected === 'end') return undefined
  if (token === '{' || token === '[') return 'push'
  return /^[\]}:,]$/.test(token) ? undefined : 'closed'
}

function hint(token: string, expected: Expected): string {
  const trailing = (expected === 'key' && token === '}') || (expected === 'value' && token === ']')
  if (trailing) return `the comma before this "${token}" must go: JSON allows none after the last entry`
  return SENTENCES[expected]
}

/** Names the usual ways of writing JavaScript instead of JSON. */
function describeStray(ahead: string): string {
  if (ahead.startsWith('//') || ahead.startsWith('/*') || ahead.startsWith('#')) {
    return 'JSON allows no comments: take this one out'
  }
  if (ahead.startsWith('"')) {
    return 'this text in quotes is not closed on its line, or holds a bad escape (a backslash is written \\\\)'
  }
  if (/^['‘’“”„]/u.test(ahead)) return 'texts must stand in plain double quotes: "'
  if (/^[-+.\d]/.test(ahead)) return 'this is not a number as JSON writes it, such as 2500'
  return 'texts and keys must stand in double quotes, and nothing else but true, false and null goes without'
}

function problemAt(text: string, offset: number, message: string): SyntaxProblem {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/)
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message }
}
