import { buildApp } from '../../src/app.ts'
import { stopOnSignals } from '../../src/http/shutdown.ts'

// The service, with a part that cannot be closed.
const { app, services } = await buildApp(process.env)
app.addHook('onClose', async () => {
  throw Object.assign(new Error('busy'), { code: 'EBUSY' })
})
stopOnSignals(app, { abortCalls: () => {} })
await app.listen({ host: services.config.host, port: services.config.port })
app.log.info('open')
