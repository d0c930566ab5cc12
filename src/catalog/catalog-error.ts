/** One thing that is wrong in a catalog file, at the place where it is wrong. */
export interface CatalogProblem {
  /** JSON Pointer (RFC 6901) from the top of the file; empty where the file as a whole is meant. */
  readonly pointer: string
  /** What is wrong and what would be right, for the merchant. */
  readonly message: string
}

/** A catalog that cannot be sold from. It carries every problem found, not only the first. */
export class CatalogError extends Error {
  readonly problems: readonly CatalogProblem[]

  constructor(problems: readonly CatalogProblem[], options?: ErrorOptions) {
    const [first] = problems
    const place = first?.pointer ? `${first.pointer} ` : ''
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems, the first one is`
    super(`The catalog has ${count}: ${place}${first?.message ?? 'unknown'}`, options)
    this.name = 'CatalogError'
    this.problems = problems
  }
}

/** A JSON Pointer made of its unescaped parts (RFC 6901, section 3). */
export function jsonPointer(...parts: (string | number)[]): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
