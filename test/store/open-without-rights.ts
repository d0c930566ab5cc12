import { openStore } from '../../src/store/open-store.ts'
import { StoreError } from '../../src/store/store.ts'

// A process without write access: `node open-without-rights.ts DATABASE_URL [ping]`. It prints the code of the
// StoreError that was thrown when it opened the store and wrote to it, or pinged it. File permissions mean nothing to root, so it steps down first.

const NOBODY = 65_534
if (process.getuid?.() === 0) {
  process.setgid?.(NOBODY)
  process.setuid?.(NOBODY)
}
try {
  const store = await openStore(process.argv[2] ?? '')
  if (process.argv[3] === 'ping') {
    await store.ping()
    console.log('ok')
    process.exit(0)
  }
  const outcome = await store.checkouts.recordExpiry('nobody')
  const checkout = {
    id: 'x',
    items: [],
    amountTotal: 1,
    currency: 'usd',
    link: '/',
    clientReferenceId: null,
    customerEmail: null,
    metadata: {},
    linkId: null,
    linkUses: null,
  }
  await store.checkouts.recordRestored(checkout, new Date().toISOString())
  console.log(`written after ${outcome}`)
} catch (error) {
  console.log(error instanceof StoreError ? error.code : String(error))
}
