import { type DotsCall, FIREWALL_PAGE } from './dots.ts'
import type { NetworkOutcome } from './network.ts'
import type { RandomSource } from './random.ts'
import { monotonicMs } from './virtual-time.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const YEAR = 365 * 24 * HOUR

/** Each kind of trouble: how likely a run of six hours has it at all, and for how long it lasts. */
const KINDS = {
  /** From its beginning, some sessions that are made can never be read again, though the list has them. */
  'bad-sessions': { chance: 0.4, from: 20 * MINUTE, to: 2 * HOUR },
  'list-fails': { chance: 0.35, from: 20 * MINUTE, to: 6 * HOUR },
  'list-limited': { chance: 0.25, from: 10 * MINUTE, to: 2 * HOUR },
  'reads-fail': { chance: 0.25, from: 2 * MINUTE, to: HOUR },
  'creates-fail': { chance: 0.2, from: MINUTE, to: 10 * MINUTE },
  'dots-down': { chance: 0.25, from: MINUTE, to: 40 * MINUTE },
  firewall: { chance: 0.2, from: MINUTE, to: 40 * MINUTE },
  'slow-dots': { chance: 0.2, from: 2 * MINUTE, to: 20 * MINUTE },
  'lost-answers': { chance: 0.25, from: 2 * MINUTE, to: 20 * MINUTE },
  'database-locked': { chance: 0.25, from: SECOND, to: 3 * MINUTE },
  'database-full': { chance: 0.3, from: 20 * SECOND, to: 10 * MINUTE },
  'database-gone': { chance: 0.15, from: 20 * SECOND, to: 5 * MINUTE },
  'clock-jump': { chance: 0.4, from: 30 * SECOND, to: 30 * MINUTE },
  crash: { chance: 0.5, from: SECOND, to: 2 * MINUTE },
  restart: { chance: 0.4, from: SECOND, to: 20 * SECOND },
  'receiver-down': { chance: 0.3, from: 2 * MINUTE, to: HOUR },
  'receiver-hangs': { chance: 0.4, from: 10 * MINUTE, to: 3 * HOUR },
  'events-lost': { chance: 0.5, from: HOUR, to: 12 * HOUR },
  'foreign-events': { chance: 0.4, from: MINUTE, to: 10 * MINUTE },
  'forged-events': { chance: 0.2, from: MINUTE, to: 5 * MINUTE },
  'flash-sale': { chance: 0.5, from: 20 * SECOND, to: 2 * MINUTE },
  'catalog-broken': { chance: 0.2, from: MINUTE, to: 30 * MINUTE },
  'price-change': { chance: 0.3, from: SECOND, to: 2 * SECOND },
} as const
export type TroubleKind = keyof typeof KINDS
export const TROUBLE_KINDS = Object.keys(KINDS) as TroubleKind[]

/** One trouble, in milliseconds of virtual time. */
export interface Trouble {
  kind: TroubleKind
  from: number
  to: number
  /** Decides what the trouble is like, from 0 to below 1. */
  variant: number
}

/** What goes wrong in a run, drawn from the seed. A run of more hours has more of it. */
export function drawTroubles(random: RandomSource, hours: number, only: readonly string[]): Trouble[] {
  const troubles: Trouble[] = []
  for (const kind of TROUBLE_KINDS) {
    const { chance, from, to } = KINDS[kind]
    const source = random.fork(kind)
    if (only.length > 0 && !only.includes(kind)) continue
    for (let part = 0; part < hours / 6; part++) {
      while (source.chance(chance)) {
        const begin = part * 6 * HOUR + source.between(MINUTE, Math.min(hours, 6) * HOUR * 0.9)
        // Short ones are more common than long ones.
        const length = from * (to / from) ** source.next()
        troubles.push({ kind, from: begin, to: begin + length, variant: source.next() })
      }
    }
  }
  return troubles.sort((a, b) => a.from - b.from)
}

/** How wrong the clock of a process is, in milliseconds: from ten minutes to a year, in either direction. */
export function clockErrorOf({ variant }: Trouble): number {
  const errors = [YEAR, YEAR, 10 * MINUTE, -10 * MINUTE, -HOUR, 10 * YEAR]
  return errors[Math.floor(variant * errors.length)] ?? YEAR
}

export type Troubles = ReturnType<typeof troublesOf>

/** The troubles of a run, as they are at this moment. */
export function troublesOf(list: readonly Trouble[]) {
  const ofKind = Map.groupBy(list, ({ kind }) => kind)
  const active = (kind: TroubleKind) => {
    const now = monotonicMs()
    return ofKind.get(kind)?.find(({ from, to }) => from <= now && now < to)
  }
  return {
    list,
    active,
    isActive: (kind: TroubleKind) => active(kind) !== undefined,

    /** Milliseconds of [from, to) in which none of these troubles went on, nor had ended less than `afterMs` before. */
    calmMs(kinds: readonly TroubleKind[], from: number, to: number, afterMs: number): number {
      const spans = list
        .filter(({ kind }) => kinds.includes(kind))
        .map((trouble) => [Math.max(from, trouble.from), Math.min(to, trouble.to + afterMs)] as const)
        .filter(([start, end]) => start < end)
        .sort(([a], [b]) => a - b)
      let calm = to - from
      let covered = from
      for (const [start, end] of spans) {
        calm -= Math.max(0, end - Math.max(start, covered))
        covered = Math.max(covered, end)
      }
      return calm
    },

    /** What Dots answers in place of a good answer; undefined on a good day. */
    answerTo(call: DotsCall, random: RandomSource): NetworkOutcome | undefined {
      const fails = {
        create: active('creates-fail'),
        read: active('reads-fail'),
        list: active('list-fails'),
      }
      const down = active('dots-down')
      if (down !== undefined) return failure(down, random)
      if (active('firewall') !== undefined) return FIREWALL_PAGE
      if (call === 'list' && active('list-limited') !== undefined) return limited('60')
      return fails[call] && failure(fails[call], random)
    },
  }
}

function limited(seconds: string): NetworkOutcome {
  const headers = { 'content-type': 'application/json', 'retry-after': seconds }
  return { status: 429, headers, body: '{}' }
}

function failure({ variant }: Trouble, random: RandomSource): NetworkOutcome {
  const json = { 'content-type': 'application/json' }
  if (variant < 0.2) return 'refused'
  if (variant < 0.3) return 'hang'
  if (variant < 0.4) return 'reset'
  if (variant < 0.5) return limited(String(random.below(200)))
  if (variant < 0.6) return { status: 200, headers: json, body: '{"unexpected":true}' }
  if (variant < 0.8) return random.chance(0.5) ? { status: 500, headers: json, body: '{}' } : FIREWALL_PAGE
  return { status: random.pick([500, 502, 503, 504]), headers: json, body: '{"code":"service-unavailable"}' }
}
