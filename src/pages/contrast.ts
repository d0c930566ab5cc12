/** Red, green and blue, each 0 to 255. */
export type Rgb = readonly [number, number, number]

/** WCAG 2.2, success criterion 1.4.3 (AA): the least contrast of running text with what is behind it. */
export const AA_TEXT_CONTRAST = 4.5

const BLACK: Rgb = [0, 0, 0]
const WHITE: Rgb = [255, 255, 255]

// Fine enough that a colour is changed no more than it must be.
const MIX_STEPS = 100

/** The colour of a `#rrggbb` string; undefined for anything else. */
export function parseHex(hex: string): Rgb | undefined {
  const digits = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex)
  if (digits === null) return undefined
  const [, red = '', green = '', blue = ''] = digits
  return [Number.parseInt(red, 16), Number.parseInt(green, 16), Number.parseInt(blue, 16)]
}

/** The colour as `#rrggbb`. */
export function toHex(color: Rgb): string {
  return `#${color.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0)
}

/** Contrast of two colours, 1 to 21, as WCAG 2.2 defines it. */
export function contrastRatio(a: Rgb, b: Rgb): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (lighter + 0.05) / (darker + 0.05)
}

/** Black or white, whichever reads better on the colour: at least 4.5 to 1 on any colour there is. */
export function textOn(color: Rgb): string {
  return toHex(contrastRatio(color, WHITE) >= contrastRatio(color, BLACK) ? WHITE : BLACK)
}

/**
 * The colour itself if it has the contrast with every one of the backgrounds, else the nearest mix with black
 * (on light backgrounds) or white (on dark ones) that has it.
 */
export function readableOn(color: Rgb, backgrounds: readonly Rgb[], contrast = AA_TEXT_CONTRAST): string {
  const isLight = backgrounds.every((background) => contrastRatio(background, BLACK) > AA_TEXT_CONTRAST)
  const target = isLight ? BLACK : WHITE
  for (let step = 0; step < MIX_STEPS; step++) {
    const mixed = mix(color, target, step / MIX_STEPS)
    if (backgrounds.every((background) => contrastRatio(mixed, background) >= contrast)) return toHex(mixed)
  }
  return toHex(target)
}

function mix(color: Rgb, target: Rgb, share: number): Rgb {
  const part = (from: number, to: number) => Math.round(from + (to - from) * share)
  return [part(color[0], target[0]), part(color[1], target[1]), part(color[2], target[2])]
}

// A calm green that reads well on white and on near-black.
const DEFAULT_ACCENT: Rgb = [29, 107, 79]

/** The shop's accent; the default one where it has none, or one that is no `#rrggbb`. */
export function accentOf(hex: string | undefined): Rgb {
  return parseHex(hex ?? '') ?? DEFAULT_ACCENT
}
