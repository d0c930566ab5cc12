/** A clock that stands still until a test moves it, in milliseconds. */
export function handClock() {
  let ms = 1_000_000
  return {
    clock: () => ms,
    forward(by: number) {
      ms += by
    },
  }
}
