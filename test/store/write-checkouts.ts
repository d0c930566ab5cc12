import { openStore } from '../../src/store/open-store.ts'

// A process of its own beside the test: `node write-checkouts.ts DATABASE_URL PREFIX COUNT`. It prints each id once the
// store has written it, one a line.

const [databaseUrl = '', prefix = '', count = '0'] = process.argv.slice(2)
const store = await openStore(databaseUrl)
for (let n = 0; n < Number(count); n++) {
  const id = `${prefix}-${n}`
  const checkout = {
    id,
    items: [{ sku: 'tee', name: 'Black T-shirt, M', quantity: 1, amount: 2500 }],
    amountTotal: 2500,
    currency: 'usd',
    link: '/buy/tee',
    clientReferenceId: null,
    customerEmail: null,
    metadata: {},
    linkId: null,
    linkUses: null,
  }
  await store.checkouts.recordRestored(checkout, new Date().toISOString())
  process.stdout.write(`${id}\n`)
}
await store.close()
