/** Placeholders that mail and advertising tools leave unchanged where they know no value. */
const ANYWHERE: readonly (readonly [open: string, close: string])[] = [
  ['{{', '}}'], // Handlebars and Liquid: {{email}}, {{ contact.email }}
  ['{%', '%}'], // Liquid, Jinja: {% if … %}
  ['<%', '%>'], // ERB: <%= email %>
  ['*|', '|*'], // Mailchimp: *|EMAIL|*
  ['%%', '%%'], // Salesforce: %%email%%
  ['${', '}'], // template literals: ${email}
]

/** These could be literal text in a longer value (JSON, `20% off, 30% off`): only a whole value counts. */
const WHOLE_VALUE = [
  /^\{[\w .:|-]+\}$/, // {email}
  /^\[\[[^[\]]*\]\]$/, // [[email]]
  /^%[^%\s]+%$/, // %recipient%
]

/** Whether a value is, or contains, a placeholder that was not filled in. Takes time linear in its length. */
export function hasPlaceholder(value: string): boolean {
  const text = value.trim()
  return (
    ANYWHERE.some(([open, close]) => encloses(text, open, close)) ||
    WHOLE_VALUE.some((pattern) => pattern.test(text))
  )
}

/** Not a regular expression, since `\{\{.*\}\}` takes quadratic time on a value full of openings. */
function encloses(text: string, open: string, close: string): boolean {
  const start = text.indexOf(open)
  return start >= 0 && text.includes(close, start + open.length)
}
