import { expect, test } from 'vitest'
import { startService } from '../service.ts'

/** Reads robots.txt as RFC 9309 has it, as far as ours goes: the group of the agent or of `*`, the longest rule wins. */
function mayFetch(robots: string, agent: string, path: string): boolean {
  const groups: { agents: string[]; rules: [allow: boolean, prefix: string][] }[] = []
  let open = false
  for (const line of robots.split('\n')) {
    const [name = '', value = ''] = line.split(/:\s*/, 2)
    if (/^user-agent$/i.test(name)) {
      if (!open) groups.push({ agents: [], rules: [] })
      open = true
      groups.at(-1)?.agents.push(value.toLowerCase())
    } else if (/^(?:dis)?allow$/i.test(name)) {
      open = false
      groups.at(-1)?.rules.push([/^allow$/i.test(name), value])
    }
  }
  const own = groups.filter(({ agents }) => agents.includes(agent.toLowerCase()))
  const chosen = own.length > 0 ? own : groups.filter(({ agents }) => agents.includes('*'))
  const fitting = chosen
    .flatMap(({ rules }) => rules)
    .filter(([, prefix]) => prefix !== '' && path.startsWith(prefix))
  fitting.sort(([, a], [, b]) => b.length - a.length)
  return fitting[0]?.[0] ?? true
}

test('robots.txt keeps crawlers off the buy links and lets them find the products', async () => {
  const shop = await startService()
  const answer = await shop.get('/robots.txt')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
  const robots = await answer.text()
  for (const crawler of ['Googlebot', 'bingbot', 'GPTBot', 'AhrefsBot', 'YandexBot', 'some-new-bot']) {
    for (const path of ['/buy/tee', '/buy/tee:2?utm_source=x', '/success?checkout=x', '/cancel?checkout=x']) {
      expect(`${crawler} ${path} ${mayFetch(robots, crawler, path)}`).toBe(`${crawler} ${path} false`)
    }
    for (const path of ['/', '/products/tee', '/qr/tee.svg'])
      expect(mayFetch(robots, crawler, path)).toBe(true)
  }
})

test('robots.txt allows preview programs to read buy links', async () => {
  const shop = await startService()
  const robots = await (await shop.get('/robots.txt')).text()
  const bots = [
    'facebookexternalhit',
    'Facebot',
    'Twitterbot',
    'Slackbot-LinkExpanding',
    'LinkedInBot',
    'Discordbot',
    'TelegramBot',
    'WhatsApp',
    'SkypeUriPreview',
    'Pinterestbot',
    'redditbot',
    'Iframely',
  ]
  for (const bot of bots) expect(`${bot} ${mayFetch(robots, bot, '/buy/tee')}`).toBe(`${bot} true`)
})
