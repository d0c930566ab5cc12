export type RandomSource = ReturnType<typeof randomSource>

/** Numbers that a seed decides (mulberry32 by Tommy Ettinger, public domain), and what is made of them. */
export function randomSource(seed: number) {
  let state = seed >>> 0
  /** From 0 to below 1. */
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const hex = (length: number) => {
    let text = ''
    while (text.length < length)
      text += Math.floor(next() * 0x10000000)
        .toString(16)
        .padStart(7, '0')
    return text.slice(0, length)
  }
  return {
    next,
    /** A whole number from 0 to below `limit`. */
    below,
    /** From `low` to below `high`. */
    between: (low: number, high: number) => low + next() * (high - low),
    /** True with this probability. */
    chance: (probability: number) => next() < probability,
    pick<T>(list: readonly [T, ...T[]]): T {
      return list[below(list.length)] ?? list[0]
    },
    hex,
    /** Version 4 (RFC 9562). */
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[below(4)]}${hex(3)}-${hex(12)}`,
    /** Another source, which does not change when this one is asked more or less often. */
    fork: (name: string) => {
      let hash = seed
      for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619)
      return randomSource(hash)
    },
  }
}
