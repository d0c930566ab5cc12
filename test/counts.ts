/** `npm run test:full` repeats everything as often as a release needs it; `npm test` about a tenth of that. */
export const IS_FULL = process.env.FULL_COUNTS === '1'

/** How often something is repeated, in a full run and in a quick one. */
export function counts(full: number, quick: number): number {
  return IS_FULL ? full : quick
}
