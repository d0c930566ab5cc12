import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AA_TEXT_CONTRAST, contrastRatio, parseHex, type Rgb } from '../../src/pages/contrast.ts'
import { stylesheet, stylesheetPath } from '../../src/pages/stylesheet.ts'
import { SHOP } from './every-page.ts'

function color(css: string, name: string): Rgb {
  const found = new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(css)?.[1]
  if (found === undefined) throw new Error(`no colour --${name}`)
  return parseHex(found)
}

/** The declarations of the light mode and those of the dark one. */
function modes(css: string): [light: string, dark: string] {
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)')
  return [light, dark]
}

const hex = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, '0')}`)

describe('the stylesheet', () => {
  test('links and button text meet AA in light and dark with every accent', () => {
    fc.assert(
      fc.property(hex, (accent) => {
        const [light, dark] = modes(stylesheet(accent))
        for (const mode of [light, dark]) {
          for (const ground of ['page', 'card']) {
            for (const ink of ['accent-ink', 'ink', 'muted']) {
              expect(contrastRatio(color(mode, ink), color(mode, ground))).toBeGreaterThanOrEqual(
                AA_TEXT_CONTRAST,
              )
            }
          }
        }
        const contrast = contrastRatio(color(light, 'on-accent'), parseHex(accent))
        expect(contrast).toBeGreaterThanOrEqual(AA_TEXT_CONTRAST)
      }),
      { examples: [['#ffffff'], ['#000000'], ['#ffe066'], ['#777777']] },
    )
  })

  test('black on white has the highest contrast, 21 to 1', () => {
    expect(contrastRatio([0, 0, 0], [255, 255, 255])).toBeCloseTo(21)
  })

  test('an accent that is no colour cannot put anything into the style', () => {
    const withoutColours = (css: string) => css.replace(/#[0-9a-f]{6}\b|rgb\(\d+ \d+ \d+\)/g, 'colour')
    fc.assert(
      fc.property(fc.string(), (accent) => {
        expect(withoutColours(stylesheet(accent))).toBe(withoutColours(stylesheet()))
      }),
      { examples: [['red;} body{display:none'], ['#12345'], ['#1234567'], ['#ffffff\n']] },
    )
  })

  test('another accent makes another path', () => {
    expect(stylesheetPath(SHOP)).toMatch(/^\/assets\/style-[0-9a-f]{16}\.css$/)
    expect(stylesheetPath({ ...SHOP, accentColor: '#aa3300' })).not.toBe(stylesheetPath(SHOP))
  })
})
