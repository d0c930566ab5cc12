import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { startService } from '../service.ts'

const HTTPS = { PUBLIC_URL: 'https://buy.shop.example' }
/** The standard's own schemas; the test that needs them is skipped where they are missing. */
const SCHEMAS = resolve('../shared/ucp-schemas')
const SCHEMA_BASE = 'https://ucp.dev/schemas/'

const Version = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })
const Profile = Compile(
  Type.Object({
    ucp: Type.Object({
      version: Version,
      services: Type.Object({}),
      payment_handlers: Type.Object({}),
      capabilities: Type.Object({
        'dev.ucp.shopping.permalink': Type.Tuple([
          Type.Object({
            version: Version,
            spec: Type.String({ pattern: '^https://ucp\\.dev/' }),
            schema: Type.String({ pattern: '^https://ucp\\.dev/' }),
            config: Type.Object({
              endpoint: Type.String({ pattern: '^https://[^/?#\\s\\\\@]+(?:/[^?#\\s\\\\]*[^/?#\\s\\\\])?$' }),
            }),
          }),
        ]),
      }),
    }),
  }),
)

describe('discovery', () => {
  test('the profile is served directly, as cacheable JSON', async () => {
    const shop = await startService({ env: HTTPS })
    const answer = await shop.get('/.well-known/ucp')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
    expect(await answer.json()).toEqual({
      ucp: {
        version: '2026-08-25',
        services: {},
        payment_handlers: {},
        capabilities: {
          'dev.ucp.shopping.permalink': [
            {
              version: '2026-08-25',
              spec: 'https://ucp.dev/2026-08-25/specification/permalink',
              schema: 'https://ucp.dev/2026-08-25/schemas/shopping/permalink.json',
              config: { endpoint: 'https://buy.shop.example/buy' },
            },
          ],
        },
      },
    })
  })

  test('the profile has the shape that the standard asks for', async () => {
    const shop = await startService({ env: HTTPS })
    const profile: unknown = await (await shop.get('/.well-known/ucp')).json()
    expect(Profile.Errors(profile)).toEqual([])
    expect(Profile.Check({ ucp: { version: '2026-08-25' } })).toBe(false)
  })

  test.skipIf(!existsSync(SCHEMAS))(
    "the profile is valid under the standard's own schemas",
    { meta: { switchedOnBy: `the schemas of ucp.dev in ${SCHEMAS}` } },
    async () => {
      const shop = await startService({ env: HTTPS })
      const profile = Profile.Parse(await (await shop.get('/.well-known/ucp')).json())
      const validate = await standardValidators()
      const capability = profile.ucp.capabilities['dev.ucp.shopping.permalink'][0]
      expect(validate.profile(profile)).toEqual([])
      expect(validate.permalink(capability)).toEqual([])
      // Proves that the schemas take effect: what they forbid is refused.
      expect(validate.profile({ ucp: {} })).not.toEqual([])
      expect(
        validate.permalink({ ...capability, config: { endpoint: 'http://shop.example/buy/' } }),
      ).not.toEqual([])
    },
  )

  test('the endpoint ends in no slash, however PUBLIC_URL ends', async () => {
    const shop = await startService({ env: { PUBLIC_URL: 'https://shop.example/' } })
    const profile = Profile.Parse(await (await shop.get('/.well-known/ucp')).json())
    expect(profile.ucp.capabilities['dev.ucp.shopping.permalink'][0].config.endpoint).toBe(
      'https://shop.example/buy',
    )
  })

  test('a service whose PUBLIC_URL is not https serves no profile, and the log has the event', async () => {
    const shop = await startService()
    expect((await shop.get('/.well-known/ucp')).status).toBe(404)
    expect(shop.log.filter(({ event }) => event === 'shop.ucp.disabled')).toHaveLength(1)
  })
})

async function standardValidators() {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const files = readdirSync(SCHEMAS, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.json'),
  )
  for (const file of files) {
    const schema = JSON.parse(readFileSync(join(SCHEMAS, file), 'utf8'))
    if (typeof schema.$id === 'string' && schema.$id.startsWith(SCHEMA_BASE)) ajv.addSchema(schema)
  }
  const validator = (schema: string) => {
    const validate = ajv.compile({ $ref: SCHEMA_BASE + schema })
    return (value: unknown) => (validate(value) ? [] : (validate.errors ?? []))
  }
  return {
    profile: validator('profile.json#/$defs/business_schema'),
    permalink: validator('shopping/permalink.json#/$defs/dev.ucp.shopping.permalink/business_schema'),
  }
}
