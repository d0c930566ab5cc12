import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { sessionsOf } from '../checkout/clicks.ts'
import { REQUIRE_ALL } from '../reporter.ts'
import { freePort, type Service, startService } from '../service.ts'
import { makeFolder } from './server-process.ts'

// The examples of the README, with other ports, paths and names.
const README = readFileSync('README.md', 'utf8')
const exampleOf = (language: string) =>
  new RegExp(`\\x60{3}${language}\n([\\s\\S]*?)\x60{3}`).exec(README)?.[1] ?? ''

interface Proxy {
  service: Service
  get(path: string, headers?: Record<string, string>): Promise<{ status: number; location?: string }>
  log(): Promise<string>
}

async function behind(program: 'nginx' | 'caddy', env: Record<string, string> = {}): Promise<Proxy> {
  const folder = await makeFolder()
  const service = await startService({ env: { TRUST_PROXY: '127.0.0.1', ...env } })
  const port = await freePort()
  const upstream = new URL(service.url).host.replace('localhost', '127.0.0.1')
  const config = (program === 'nginx' ? nginxConfig : caddyConfig)(folder, port, upstream)
  await writeFile(join(folder, 'config'), config)
  await mkdir(join(folder, 'logs'))
  if (program === 'nginx') makeCertificate(folder)
  const args =
    program === 'nginx'
      ? ['-p', folder, '-c', join(folder, 'config'), '-g', 'daemon off;']
      : ['run', '--adapter', 'caddyfile', '--config', join(folder, 'config')]
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text
    })
  const ended = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const get: Proxy['get'] = (path, headers = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, headers: { host: 'buy.shop.example', ...headers } }
      const sent = request(
        { ...options, servername: 'buy.shop.example', rejectUnauthorized: false, agent: false },
        (answer) => {
          answer
            .resume()
            .on('end', () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }))
        },
      )
      sent.on('error', reject).end()
    })
  await vi.waitFor(async () => expect((await get('/healthz')).status).toBe(200), {
    timeout: 20_000,
    interval: 100,
  })
  const log = async () =>
    output + (program === 'nginx' ? await readFile(join(folder, 'logs/access.log'), 'utf8') : '')
  return { service, get, log }
}

function nginxConfig(folder: string, port: number, upstream: string): string {
  const example = exampleOf('nginx')
    .replace('127.0.0.1:3000', upstream)
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace(/\/etc\/ssl\/buy\.shop\.example/g, folder)
    .replace('/var/log/nginx/buy-links.log', join(folder, 'logs/access.log'))
    .replace('/var/log/nginx/buy-links.error.log', join(folder, 'logs/error.log'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  return `pid ${folder}/pid;\nerror_log ${folder}/logs/start.log;\nevents {}\nhttp {\n${temporary.join('\n')}\n${example}}\n`
}

function caddyConfig(_folder: string, port: number, upstream: string): string {
  const settings = '{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n'
  return exampleOf('caddyfile')
    .replace('{\n', settings)
    .replace('buy.shop.example {', `https://buy.shop.example:${port} {`)
    .replace('127.0.0.1:3000', upstream)
}

function makeCertificate(folder: string): void {
  const out = ['-keyout', join(folder, 'privkey.pem'), '-out', join(folder, 'fullchain.pem')]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=buy.shop.example', ...out],
    { stdio: 'ignore' },
  )
}

for (const program of ['nginx', 'caddy'] as const) {
  const isHere = spawnSync(program, [program === 'nginx' ? '-v' : 'version']).status === 0
  describe.skipIf(!isHere && !REQUIRE_ALL)(
    `${program}, as the README sets it up`,
    { meta: { switchedOnBy: `apt-get install ${program}` } },
    () => {
      test('passes links on as they came, and writes no query into its log', async () => {
        const { service, get, log } = await behind(program)
        for (const path of [
          '/buy/tee?email=jane@example.com',
          '//buy/tee',
          '/buy/tee%3Femail=jane@example.com',
          '/buy/tee:2?utm_source=a%2Fb',
          '/buy/tee%E2%80%8B',
        ]) {
          const { status, location } = await get(path)
          expect(`${path} ${Math.floor(status / 100)}`).toBe(`${path} 3`)
          expect(location).toMatch(/^http:/)
        }
        expect(sessionsOf(service)).toHaveLength(5)
        expect(await get(`/buy/tee?x=${'a'.repeat(8_000)}`)).toMatchObject({ status: 302 })
        expect((await get('/buy/nothing?email=jane@example.com')).status).toBe(404)
        const written = await log()
        for (const secret of ['jane', 'utm_source']) expect(written).not.toContain(secret)
      })

      test('tells the service who the client is, whatever the client says', async () => {
        const { get } = await behind(program, { RATE_LIMIT_MAX: '2' })
        const statuses: number[] = []
        for (const forged of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) {
          statuses.push((await get('/buy/tee', { 'x-forwarded-for': forged })).status)
        }
        expect(statuses).toEqual([302, 302, 429])
      })
    },
  )
}
