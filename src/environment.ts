import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { ConfigSchema, DEFAULT_CATALOG_PATH, PROXY_RULE } from './settings.ts'
import { decodeUtf8, NotUtf8 } from './utf8.ts'
import { isLoopbackHost, webUrl } from './web-url.ts'

export interface EnvironmentOptions {
  /** A file of `NAME=value` lines that fills what the environment leaves open. It may be absent. */
  dotenvPath?: string
  /** Values for settings that are absent and not needed. */
  fallbacks?: Readonly<Record<string, string>>
}

/**
 * The settings as texts, before validation: the environment wins over `.env`, blanks around a value do not count, an
 * empty value counts as absent, and secrets are read from their files. Never throws: what cannot be read, and what the
 * schema cannot say, is in `problems`, a sentence for each setting or for the `.env` file, by its name.
 */
export function readEnvironment(
  environment: NodeJS.ProcessEnv,
  { dotenvPath, fallbacks = {} }: EnvironmentOptions = {},
) {
  const problems = new Map<string, string>()
  let dotenv = ''
  try {
    if (dotenvPath !== undefined) dotenv = readText(dotenvPath)
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing) problems.set(`${dotenvPath}`, `${dotenvPath} ${unreadable(error)}`)
  }
  const texts = { ...trimmed(parseEnv(dotenv)), ...trimmed(environment) }
  for (const [name, value] of Object.entries(fallbacks)) {
    if (texts[`${name}_FILE`] === undefined) texts[name] ??= value
  }
  for (const [name, setting] of Object.entries(ConfigSchema.properties)) {
    const problem =
      ('file' in setting && readSecretFile(texts, name)) || ('url' in setting && loginProblem(texts, name))
    if (problem) problems.set(name, problem)
  }
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']) {
    // Node and most other programs also read the lower-case names, and prefer them.
    const value = texts[name.toLowerCase()] ?? texts[name]
    if (value === undefined) continue
    texts[name] = value
    const isWrong = name !== 'NO_PROXY' && !/^(?:https?|socks5?):$/.test(URL.parse(value)?.protocol ?? '')
    if (isWrong && usesProxy(texts)) problems.set(name, `${name} ${PROXY_RULE}`)
  }
  if (texts.PUBLIC_URL === undefined && !isOnThisMachine(texts.DOTS_API_URL)) {
    problems.set('PUBLIC_URL', PUBLIC_URL_PROBLEM)
  }
  return { texts, problems }
}

/** Node's own switch, so that one variable decides for the whole process. */
export function usesProxy({ NODE_USE_ENV_PROXY }: { NODE_USE_ENV_PROXY?: string }): boolean {
  return NODE_USE_ENV_PROXY === '1'
}

const PUBLIC_URL_PROBLEM =
  "PUBLIC_URL is required: it must be the shop's https:// URL. Only with a Dots on this machine (DOTS_API_URL) it is http://localhost:PORT."

function isOnThisMachine(url = ''): boolean {
  return isLoopbackHost(webUrl(url)?.hostname ?? '')
}

/** A line that ends in CR LF leaves a CR in the value, and a blank at the end of a line is not seen. */
function trimmed(texts: NodeJS.Dict<string>): NodeJS.Dict<string> {
  const all = Object.entries(texts).map(([name, value = '']) => [name, value.trim()])
  return Object.fromEntries(all.filter(([, value]) => value))
}

/** Where the catalog is, also where other settings are missing or wrong. */
export function catalogPathOf(texts: NodeJS.Dict<string>): string {
  return texts.CATALOG_PATH ?? DEFAULT_CATALOG_PATH
}

/** @throws NotUtf8; the error of the file system. */
function readText(path: string): string {
  const text = decodeUtf8(readFileSync(path))
  if (text.includes('\0')) throw new NotUtf8('holds a NUL character: save it again as plain text in UTF-8')
  return text
}

function unreadable(error: unknown): string {
  return `${error instanceof NotUtf8 ? error.message : 'cannot be read: check the path and its permissions'}.`
}

/** What is wrong with a URL that has a user name or a password in it. */
function loginProblem(texts: NodeJS.Dict<string>, name: string): string | undefined {
  const { username, password } = URL.parse(texts[name] ?? '') ?? {}
  if (!username && !password) return undefined
  return `${name} has a user name or a password in it, which do not belong there: remove them.`
}

/** Replaces `NAME_FILE` by what the file holds, without the blanks around it; returns what is wrong with it. */
function readSecretFile(texts: NodeJS.Dict<string>, name: string): string | undefined {
  const path = texts[`${name}_FILE`]
  if (path === undefined) return undefined
  if (texts[name] !== undefined) return `${name} and ${name}_FILE are both set: keep one of them.`
  // It counts as set even if the file cannot be read, so that the setting it requires is checked as well.
  texts[name] = ''
  try {
    texts[name] = readText(path).trim()
  } catch (error) {
    // A text that was read proves that the setting is a path, and no secret in the wrong place.
    const file = error instanceof NotUtf8 ? `${path}, which` : 'a file that'
    return `${name}_FILE names ${file} ${unreadable(error)}`
  }
  return texts[name] === '' ? `${name}_FILE names an empty file: write the secret into it.` : undefined
}
