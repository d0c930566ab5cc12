import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'

import { type CatalogProblem, jsonPointer } from './catalog-error.ts'
import { type ProductEntry, ProductSchema, quantityLimits } from './product.ts'
import { patternSentences } from './product-fields.ts'

const product = Compile(ProductSchema)

/** Whether the entry keeps every rule that the schema can state of one field. Fast. */
export function isProductEntry(entry: unknown): entry is ProductEntry {
  return product.Check(entry)
}

/** Every problem that the schema finds in one entry; `pointer` is where the entry stands. */
export function schemaProblems(entry: unknown, pointer: string): CatalogProblem[] {
  const errors = allErrors(entry)
  const mistyped = new Set(errors.filter(isTypeError).map((error) => error.instancePath))
  // What a value of the wrong type breaks besides says nothing more.
  const telling = errors.filter((error) => isTypeError(error) || !mistyped.has(error.instancePath))
  const problems = telling.flatMap((error) => describe(error, pointer))
  // An entry that was refused must never look fine for want of words.
  return problems.length > 0 ? problems : [{ pointer, message: 'is not a product' }]
}

/**
 * What one field says against another, also in an entry that has other problems. Pointers start at the entry:
 * nearly always there is nothing to tell, and then none is built.
 */
export function contradictions(entry: Record<string, unknown>): CatalogProblem[] {
  const problems: CatalogProblem[] = []
  if (milliseconds(entry.starts_at) >= milliseconds(entry.ends_at)) {
    problems.push({ pointer: '/ends_at', message: 'must be later than starts_at' })
  }
  const limits = entry.adjustable_quantity
  if (typeof limits === 'object' && limits !== null) {
    const { minimum, maximum } = quantityLimits({ adjustable_quantity: limits })
    // Where one of the two is no count at all, the schema has already said so.
    const areCounts = [minimum, maximum].every((limit) => Number.isInteger(limit) && limit >= 1)
    if (areCounts && minimum > maximum) {
      const message = `minimum ${minimum} must not be above maximum ${maximum}, which is 99 where absent`
      problems.push({ pointer: '/adjustable_quantity', message })
    }
  }
  return problems
}

/** NaN, which is neither before nor after anything, where the value is no moment. */
function milliseconds(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN
}

/** TypeBox stops at eight errors unless told otherwise; the setting is global, so it is put back at once. */
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

function describe(error: TLocalizedValidationError, entryPointer: string): CatalogProblem[] {
  const pointer = entryPointer + error.instancePath
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((key) => ({
        pointer: pointer + jsonPointer(key),
        message: 'is missing',
      }))
    case 'additionalProperties':
      return error.params.additionalProperties.map((key) => ({
        pointer: pointer + jsonPointer(key),
        message: 'is not a key of the catalog: correct the spelling, or take it out',
      }))
    // Said once more by the `additionalProperties` error, and by those of the name itself.
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
      return `must be ${typeName(error.params.type)}`
    case 'const':
      return `must be ${JSON.stringify(error.params.allowedValue)}`
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
      return patternSentences.get(String(error.params.pattern)) ?? error.message
    case '~refine':
      return error.params.message
    default:
      return error.message
  }
}

function typeName(type: string | string[]): string {
  switch (type) {
    case 'integer':
      return 'a whole number, without quotes and decimals'
    case 'string':
      return 'a text in double quotes'
    case 'boolean':
      return 'true or false, without quotes'
    case 'array':
      return 'a list in square brackets'
    case 'object':
      return 'an object in curly brackets'
    default:
      return String(type)
  }
}
