/** Red, green and blue, each 0 to 255. */
export type Rgb = readonly [number, number, number]

/** WCAG 2.2, success criterion 1.4.3 (AA): the minimum contrast of running text with its background. */
export const AA_TEXT_CONTRAST = 4.5

const BLACK: Rgb = [0, 0, 0]
const WHITE: Rgb = [255, 255, 255]

// Fine enough that a colour is changed no more than it must be.
const MIX_STEPS = 100

/** The colour of a `#rrggbb` string. */
export function parseHex(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16)
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}

/** The colour as `#rrggbb`. */
function toHex(color: Rgb): string {
  return `#${color.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** Contrast of two colours, 1 to 21, as WCAG 2.2 defines it. */
export function contrastRatio(a: Rgb, b: Rgb): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (lighter + 0.05) / (darker + 0.05)
}

/** Black or white, whichever reads better on the colour: at least 4.5 to 1 on every colour. */
export function textOn(color: Rgb): string {
  return toHex(contrastRatio(color, WHITE) >= contrastRatio(color, BLACK) ? WHITE : BLACK)
}

/**
 * The colour itself if it has the contrast with every one of the backgrounds (`#rrggbb`), else the nearest
 * mix with black (on light backgrounds) or white (on dark ones) that has it.
 */
export function readableOn(color: Rgb, backgrounds: readonly string[], contrast = AA_TEXT_CONTRAST): string {
  const behind = backgrounds.map(parseHex)
  const target = behind.every((one) => contrastRatio(one, BLACK) > AA_TEXT_CONTRAST) ? BLACK : WHITE
  for (let step = 0; step < MIX_STEPS; step++) {
    const mixed = mix(color, target, step / MIX_STEPS)
    if (behind.every((one) => contrastRatio(mixed, one) >= contrast)) return toHex(mixed)
  }
  return toHex(target)
}

function mix(color: Rgb, target: Rgb, share: number): Rgb {
  const part = (from: number, to: number) => Math.round(from + (to - from) * share)
  return [part(color[0], target[0]), part(color[1], target[1]), part(color[2], target[2])]
}
