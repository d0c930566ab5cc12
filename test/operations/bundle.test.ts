import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PRODUCTS } from '../service.ts'
import { deploy, makeFolder, runServer } from './server-process.ts'

/** The folder of the image: the bundle, and none of the packages or sources. */
async function build(): Promise<string> {
  const folder = await makeFolder()
  execFileSync(process.execPath, [
    'node_modules/rolldown/bin/cli.mjs',
    '--config',
    'rolldown.config.ts',
    '--logLevel',
    'silent',
  ])
  cpSync('dist', folder, { recursive: true })
  cpSync('package.json', join(folder, 'package.json'))
  return folder
}

test('the bundle sells, lists, checks and stops without sources or packages', async () => {
  const folder = await build()
  const program = join(folder, 'buy-links.js')
  const shop = await deploy()
  const server = runServer(shop.env, folder, program)
  await expect
    .poll(() =>
      shop
        .get('/readyz')
        .then(({ status }) => status)
        .catch(() => 0),
    )
    .toBe(200)
  const answer = await shop.get('/buy/tee')
  expect([answer.status, answer.headers.get('location')]).toEqual([
    302,
    expect.stringContaining('/checkout/'),
  ])
  // Larger than what is checked in the main thread, and broken: the other thread says where.
  writeFileSync(shop.catalogPath, `{"products":[{}]}${' '.repeat(20 * 1024 * 1024)}`)
  server.child.kill('SIGHUP')
  await expect.poll(() => server.output()).toContain('catalog.rejected')
  writeFileSync(shop.catalogPath, JSON.stringify({ products: PRODUCTS }))
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })

  const run = (...words: string[]) =>
    execFileSync(process.execPath, [program, ...words], { cwd: folder, env: shop.env, encoding: 'utf8' })
  expect(run('orders')).toContain('tee:1')
  expect(run('link', 'tee')).toContain('/buy/tee')
  expect(run('backup', join(folder, 'copy.db'))).toContain('1 checkout')
  expect(() => run('nonsense')).toThrow('There is no command')
})
