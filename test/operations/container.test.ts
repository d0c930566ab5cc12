import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// What can be known of the container without an engine that runs it.
const DOCKERFILE = readFileSync('Dockerfile', 'utf8')
const COMPOSE = readFileSync('docker-compose.yml', 'utf8')

test('every file of the image gets its mode there, whatever umask the clone was made under', () => {
  const copies = DOCKERFILE.match(/^COPY .*$/gm) ?? []
  expect(copies.length).toBeGreaterThan(2)
  for (const copy of copies) expect(copy).toMatch(/^COPY (?:--from=build )?--chmod=0(?:644|755) /)
})

test('signals reach the service itself: it is started without a shell', () => {
  expect(DOCKERFILE).toMatch(/^CMD \["node", "buy-links\.js"\]$/m)
})

test('the port is open on this machine alone', () => {
  expect(COMPOSE).toMatch(/ports:\n\s+- "127\.0\.0\.1:3000:3000"\n/)
})

test('a folder with the catalog is mounted, so that a replaced file is seen', () => {
  const [, folder = ''] = /target: (\S+)\n/.exec(COMPOSE) ?? []
  expect(folder).not.toMatch(/\.json$/)
  expect(COMPOSE).toContain(`CATALOG_PATH: ${folder}/catalog.json\n`)
})

test('line breaks are the same in every clone', () => {
  const attributes = execFileSync('git', ['check-attr', 'eol', 'text', '--', 'src/server.ts'], {
    encoding: 'utf8',
  })
  expect(attributes).toBe('src/server.ts: eol: lf\nsrc/server.ts: text: auto\n')
})
