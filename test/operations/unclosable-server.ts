import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { stopOnSignals } from '../../src/stop-on-signals.ts'

// The service, with a part that cannot be closed.
const config = await loadConfig(process.env)
const app = await buildApp(config)
app.addHook('onClose', async () => {
  throw Object.assign(new Error('busy'), { code: 'EBUSY' })
})
stopOnSignals(app)
await app.listen({ host: config.host, port: config.port })
app.log.info('open')
