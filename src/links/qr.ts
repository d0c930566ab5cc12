import { correction, generate } from 'lean-qr'
import { toPngBuffer } from 'lean-qr/extras/node_export'
import { toSvgSource } from 'lean-qr/extras/svg'

/** A sheet that was folded or rained on still scans: 15 % of the code may be lost. */
const options = { minCorrectionLevel: correction.M }
/** ISO/IEC 18004 asks for four modules of quiet around the code. */
const QUIET_MODULES = 4
/** Pixels a module: a code of a usual link comes out at 300 to 400 pixels, sharp on a poster at any scale. */
const PNG_SCALE = 10

/** The link as a QR code (ISO/IEC 18004), black on white, as SVG text. Throws an Error beyond what a code can hold. */
export function qrSvg(link: string): string {
  return toSvgSource(generate(link, options), {
    on: 'black',
    off: 'white',
    padX: QUIET_MODULES,
    padY: QUIET_MODULES,
    xmlDeclaration: true,
  })
}

/** The same as a PNG image. */
export function qrPng(link: string): Uint8Array {
  return toPngBuffer(generate(link, options), {
    on: [0, 0, 0, 255],
    off: [255, 255, 255, 255],
    padX: QUIET_MODULES,
    padY: QUIET_MODULES,
    scale: PNG_SCALE,
  })
}
