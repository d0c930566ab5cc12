import { html } from 'ghtml'
import { buttonColors } from './contrast.ts'

/**
 * A buy link as a button that mail programs show: a table with inline styles, since they drop stylesheets and Outlook
 * knows no padding on links.
 */
export function emailButton(link: string, accentColor: string | undefined): string {
  const { background, text } = buttonColors(accentColor)
  return html`<table role="presentation" border="0" cellpadding="0" cellspacing="0"><tr><td align="center" bgcolor="${background}" style="border-radius:6px;background:${background}"><a href="!${attribute(link)}" target="_blank" style="display:inline-block;padding:14px 28px;font-family:Arial,sans-serif;font-size:16px;font-weight:bold;color:${text};text-decoration:none">Buy now</a></td></tr></table>`
}

/** No sign is escaped that need not be: mail tools that rewrite links read `&amp;`, and some stumble over `&#61;`. */
function attribute(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
