/** An element's start tag as a browser's tokenizer would read it, values decoded. */
interface Tag {
  name: string
  attributes: Record<string, string>
}

const ATTRIBUTE = /\s+([a-z][a-zA-Z:-]*)(?:="([^"]*)")?/y

/**
 * The start tags of a document, read strictly: every `<` must begin a well-formed tag whose attribute values are
 * in double quotes, or this throws. `script` content is skipped up to its end, as the HTML standard has it.
 */
export function readTags(document: string): Tag[] {
  const tags: Tag[] = []
  let at = 0
  while (true) {
    at = document.indexOf('<', at)
    if (at === -1) return tags
    const start = /<(?:!doctype html>|\/([a-z][a-z0-9]*)>|([a-z][a-z0-9]*))/y
    start.lastIndex = at
    const match = start.exec(document)
    if (match === null) throw new Error(`stray < before ${JSON.stringify(document.slice(at, at + 40))}`)
    at = start.lastIndex
    const name = match[2]
    if (name === undefined) continue
    const attributes: Record<string, string> = {}
    ATTRIBUTE.lastIndex = at
    for (let found = ATTRIBUTE.exec(document); found !== null; found = ATTRIBUTE.exec(document)) {
      const [, key = '', value = ''] = found
      if (key in attributes) throw new Error(`${name} has ${key} twice`)
      attributes[key] = decode(value)
      at = ATTRIBUTE.lastIndex
    }
    const end = /\s*\/?>/y
    end.lastIndex = at
    if (!end.test(document))
      throw new Error(`broken tag before ${JSON.stringify(document.slice(at, at + 40))}`)
    at = end.lastIndex
    tags.push({ name, attributes })
    if (name === 'script') at = document.toLowerCase().indexOf('</script', at)
  }
}

/** Names of tags and attributes in order: what no text from outside may change. */
export function skeleton(document: string): string[] {
  return readTags(document).map(({ name, attributes }) => [name, ...Object.keys(attributes)].join(' '))
}

/** Every URL in the document, wherever an element takes one. */
export function urlsIn(document: string): string[] {
  return readTags(document).flatMap(({ attributes }) => {
    const refresh = attributes['http-equiv'] === 'refresh' ? attributes.content?.split('url=')[1] : undefined
    return [attributes.href, attributes.src, attributes.action, refresh].filter(
      (value) => value !== undefined,
    )
  })
}

/** The document's text as a reader sees it, white space folded. */
export function text(document: string): string {
  return decode(document.replace(/<script[\s\S]*?<\/script>/g, ' ').replace(/<[^>]*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim()
}

function decode(value: string): string {
  return value.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
}
