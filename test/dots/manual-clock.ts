/** A clock that a test moves, in milliseconds. */
export function manualClock() {
  let ms = 1_000_000
  return {
    clock: () => ms,
    forward(by: number) {
      ms += by
    },
  }
}
