/**
 * Placeholders that mail and advertising tools fill in, and leave as they are where they know no value. These are
 * never honest text, wherever they stand in a value.
 */
const ANYWHERE: readonly (readonly [open: string, close: string])[] = [
  ['{{', '}}'], // Handlebars and Liquid: {{email}}, {{ contact.email }}
  ['{%', '%}'], // Liquid, Jinja: {% if … %}
  ['<%', '%>'], // ERB: <%= email %>
  ['*|', '|*'], // Mailchimp: *|EMAIL|*
  ['%%', '%%'], // Salesforce: %%email%%
  ['${', '}'], // template literals: ${email}
]

/** These could be honest text inside a longer value (JSON, a discount of 20%), so they count as a whole value alone. */
const WHOLE_VALUE = [
  /^\{[\w .:|-]+\}$/, // {email}
  /^\[\[[^[\]]*\]\]$/, // [[email]]
  /^%[^%\s]+%$/, // %recipient%
]

/** Whether a value is, or holds, a placeholder that nobody filled in. Takes time linear in its length. */
export function isMergeTag(value: string): boolean {
  const text = value.trim()
  return (
    ANYWHERE.some(([open, close]) => encloses(text, open, close)) || WHOLE_VALUE.some((tag) => tag.test(text))
  )
}

/** Not a pattern, since `\{\{.*\}\}` takes quadratic time on a value full of openings. */
function encloses(text: string, open: string, close: string): boolean {
  const start = text.indexOf(open)
  return start >= 0 && text.includes(close, start + open.length)
}
