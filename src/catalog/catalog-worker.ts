import { parentPort, workerData } from 'node:worker_threads'
import { describeWhole } from './catalog.ts'

// Finds out what is wrong with a large file, in one go: it would hold up the main thread for seconds.
if (parentPort !== null && typeof workerData === 'string')
  parentPort.postMessage(await describeWhole(workerData))
