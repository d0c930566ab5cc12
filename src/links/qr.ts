import { correction, generate } from 'lean-qr'
import { toPngBuffer } from 'lean-qr/extras/node_export'
import { toSvgSource } from 'lean-qr/extras/svg'

/** Still scans where up to 15 % of the code is damaged. */
const options = { minCorrectionLevel: correction.M }
/** ISO/IEC 18004 asks for an empty border of four modules. */
const padding = { padX: 4, padY: 4 }
/** Pixels per module: a usual link becomes 300 to 400 pixels wide. */
const PNG_SCALE = 10

/** The link as a QR code (ISO/IEC 18004) in SVG. Throws an Error for a link that is too long for a code. */
export function qrSvg(link: string): string {
  return toSvgSource(generate(link, options), {
    ...padding,
    on: 'black',
    off: 'white',
    xmlDeclaration: true,
  })
}

/** The same as a PNG image. */
export function qrPng(link: string): Uint8Array {
  return toPngBuffer(generate(link, options), {
    ...padding,
    on: [0, 0, 0, 255],
    off: [255, 255, 255, 255],
    scale: PNG_SCALE,
  })
}
