import { existsSync, rmSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import '../../src/store/sqlite-thread.ts'

// The thread of the store, which dies when a file appears beside the database.
const order = `${workerData.path}.die`
setInterval(() => {
  if (!existsSync(order)) return
  rmSync(order)
  process.exit(1)
}, 5).unref()
