import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { DestinationStream } from 'pino'

const STDOUT = 1
/** A pipe that is full is usually read within that time. Afterwards lines are dropped: requests must not wait for the log. */
const MAX_WAIT_MS = 200
const WAIT_STEP_MS = 10
const EMPTY = Buffer.alloc(0)

/** Where the lines of the log go. */
export interface LogOutput extends DestinationStream {
  /** Lines that could not be written since the last one that could; absent where none is ever dropped. */
  readonly droppedLines?: number
}

/** stdout: as it is, or readable where it is a terminal. */
export async function stdoutLog(): Promise<LogOutput> {
  // Not `process.stdout.isTTY`, whose first use makes writes to a full pipe fail instead of wait.
  if (!isatty(STDOUT)) return lineOutput(STDOUT)
  // It takes 20 ms to load, which a start without a terminal can save.
  const { default: pretty } = await import('pino-pretty')
  return pretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss' })
}

/**
 * Writes each line at once. Never throws: lines that cannot be written (disk full, file limit, I/O error) are dropped, and
 * the first line afterwards says how many. When nobody reads a pipe any more (EPIPE), it stops.
 */
export function lineOutput(fd: number): LogOutput {
  let isRead = true
  let dropped = 0
  /** What is left of a line whose beginning has been written, and the size of the file at that time. */
  let rest: Buffer = EMPTY
  let sizeAtRest = 0

  return {
    get droppedLines() {
      return isRead ? dropped : 0
    },
    write(line) {
      if (!isRead) return
      if (rest.length > 0) finishLine()
      if (rest.length === 0 && dropped > 0 && begin(Buffer.from(droppedLine(dropped)))) dropped = 0
      if (rest.length > 0 || dropped > 0 || !begin(Buffer.from(line))) dropped += 1
    },
  }

  function finishLine(): void {
    // In a file that was truncated in the meantime the rest of a line would be in the wrong place.
    if (fstatSync(fd).size === sizeAtRest) keepRest(rest, put(rest))
    else {
      rest = EMPTY
      dropped += 1
    }
  }

  /** Writes a line; what cannot be written of it follows later. False if not even its beginning can be written. */
  function begin(line: Buffer): boolean {
    const written = put(line)
    if (written > 0) keepRest(line, written)
    return written > 0
  }

  function keepRest(line: Buffer, written: number): void {
    rest = line.subarray(written)
    if (rest.length > 0) sizeAtRest = fstatSync(fd).size
  }

  /** How many of the bytes could be written. */
  function put(bytes: Buffer): number {
    let written = 0
    let waitMs = dropped === 0 ? MAX_WAIT_MS : 0
    while (written < bytes.length) {
      try {
        written += writeSync(fd, bytes, written)
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (code === 'EPIPE') isRead = false
        if (code !== 'EAGAIN' || waitMs <= 0) return written
        waitMs -= WAIT_STEP_MS
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_STEP_MS)
      }
    }
    return written
  }
}

function droppedLine(dropped: number): string {
  const fields = { level: 40, time: Date.now(), event: 'log.lines-dropped', dropped }
  return `${JSON.stringify({ ...fields, msg: 'lines of the log could not be written' })}\n`
}
