import type { Config } from './config.ts'

/** Whoever has a signed link can try secrets as fast as a machine computes: shorter words than this are found. */
const SHORTEST_SECRET = 16
/** Bytes that Standard Webhooks asks of a symmetric key at the least (its specification, "Signature scheme"). */
const SHORTEST_WEBHOOK_KEY = 24

/** What works and is not as it should be, a sentence each. They name settings and hold no values. */
export function startWarnings(config: Config): string[] {
  const { dots, linkSigningSecrets, adminToken, fulfillment } = config
  const warnings: string[] = []
  if (dots.webhookSecrets.length === 0) {
    warnings.push('DOTS_WEBHOOK_SECRET is not set: sales are found by the return page alone')
  }
  if (linkSigningSecrets.some(isShort)) {
    warnings.push(`LINK_SIGNING_SECRET is weak: give each secret ${SHORTEST_SECRET} characters or more`)
  }
  for (const [name, secrets] of [
    ['DOTS_WEBHOOK_SECRET', dots.webhookSecrets],
    ['FULFILLMENT_SECRET', fulfillment?.secrets ?? []],
  ] as const) {
    if (secrets.some((secret) => webhookKeyBytes(secret) < SHORTEST_WEBHOOK_KEY)) {
      warnings.push(`${name} is weak: the key after whsec_ should be ${SHORTEST_WEBHOOK_KEY} bytes or more`)
    }
  }
  if (adminToken !== undefined) {
    warnings.push('ADMIN_TOKEN has no effect: /admin and /metrics are not in this version')
    if (isShort(adminToken)) {
      warnings.push(`ADMIN_TOKEN is weak: give it ${SHORTEST_SECRET} characters or more`)
    }
  }
  return warnings
}

function isShort(secret: string): boolean {
  return secret.length < SHORTEST_SECRET
}

function webhookKeyBytes(secret: string): number {
  return Buffer.byteLength(Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
}
