import type { LinkParameters } from './parameters.ts'
import { SIGNATURE_PARAMETER } from './signature.ts'

/**
 * What a link's query says, as the fields of a form that is posted to the same link: all that a signature covers as it
 * was given, so that it still holds, and the attribution. What a buy link has no use for is left behind.
 */
export function formFields(parameters: LinkParameters): (readonly [name: string, value: string])[] {
  const covered = [...parameters.covered].flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  )
  const attribution = Object.entries(parameters.attribution).map(
    ([name, value]) => [`attribution/${name}`, value] as const,
  )
  const signature =
    parameters.signature === undefined ? [] : ([[SIGNATURE_PARAMETER, parameters.signature]] as const)
  return [...covered, ...attribution, ...signature]
}
