import { parentPort, workerData } from 'node:worker_threads'
import { openSqlite } from './sqlite.ts'
import { asStoreError } from './sqlite-errors.ts'
import { failureOf, type Step } from './steps.ts'

/** From the service: a group of steps, or `close`. One at a time; the next one comes after the answer. */
export type ToThread = { steps: readonly Step[]; waitedMs: number } | 'close'

// The thread of the database: it waits for the disk, so that the event loop of the service does not.
const port = parentPort
if (port === null) throw new Error('this file is run in a thread, by the store')
try {
  const { createdAt, queries, run, close } = await openSqlite(workerData)
  port.on('message', async (message: ToThread) => {
    if (message !== 'close') {
      port.postMessage({ outcomes: await run(message.steps, message.waitedMs) })
      return
    }
    close()
    port.close()
  })
  port.postMessage({ createdAt, queries })
} catch (error) {
  port.postMessage({ failure: failureOf(asStoreError(error)) })
}
