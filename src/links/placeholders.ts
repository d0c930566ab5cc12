/** Placeholders of mail and advertising tools, which leave them unchanged where they know no value. */
const FORMS: readonly (readonly [open: string, close: string])[] = [
  ['{{', '}}'], // Handlebars and Liquid: {{email}}, {{ contact.email }}
  ['${', '}'], // template literals: ${email}
  ['{', '}'], // {email}, {$email}, {% if … %}
  ['*|', '|*'], // Mailchimp: *|EMAIL|*
  ['%%', '%%'], // Salesforce: %%email%%
  ['%', '%'], // %recipient%
  ['[', ']'], // [subscriber:firstname]
  ['<', '>'], // <email>, ERB: <%= email %>
  ['$$', '$$'],
  ['$', '$'],
  ['__', '__'], // __CAMPAIGN_NAME__
  ['#', '#'],
  ['~', '~'],
  ['@', '@'],
  ['-', '-'],
]
/** These are nobody's own text, wherever they are in a value. */
const ANYWHERE: typeof FORMS = [
  ['{{', '}}'],
  ['{%', '%}'],
  ['<%', '%>'],
  ['*|', '|*'],
  ['%%', '%%'],
  ['${', '}'],
]
/** It bounds the work: each of them may be searched to the end of the value. */
const MAX_IN_A_ROW = 20

/** What programs write where they have no value, and [[email]]. */
const NO_VALUE = /^(?:undefined|null|nan|\[object object\]|\(not set\)|\[\[[^[\]]+\]\])$/i

/**
 * Whether a value says nothing: it consists of placeholders that were not filled in, has an unmistakable one in it, or is
 * what a program writes for no value. Takes time linear in its length.
 */
export function isUnfilled(value: string): boolean {
  const text = value.trim()
  return (
    NO_VALUE.test(text) ||
    isAllPlaceholders(text) ||
    ANYWHERE.some((form) => placeholderEnd(text, text.indexOf(form[0]), form) !== undefined)
  )
}

/** Whether a text is one placeholder or several in a row, also with blanks between them. */
function isAllPlaceholders(text: string): boolean {
  let rest = text
  for (let count = 0; count < MAX_IN_A_ROW && rest !== ''; count++) {
    const form = FORMS.find((one) => rest.startsWith(one[0]) && placeholderEnd(rest, 0, one) !== undefined)
    if (form === undefined) return false
    rest = rest.slice(placeholderEnd(rest, 0, form)).trimStart()
  }
  return text !== '' && rest === ''
}

/**
 * Where the placeholder that begins at `start` ends. Not a regular expression, since `\{\{.*\}\}` takes quadratic time on a
 * value full of openings.
 */
function placeholderEnd(
  text: string,
  start: number,
  [open, close]: readonly [string, string],
): number | undefined {
  const name = start + open.length
  const end = start < 0 ? -1 : text.indexOf(close, name)
  // A brace before a quotation mark begins an object in JSON.
  return end > name && !text.startsWith('{"', start) ? end + close.length : undefined
}
