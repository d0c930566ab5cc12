import fc from 'fast-check'

/** Text of any code points, lone surrogates included. Fast-check's own `unit: 'binary'` takes seconds to set up. */
export function anyText(maxLength?: number): fc.Arbitrary<string> {
  const codePoint = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code))
  return fc.string({ unit: codePoint, maxLength })
}
