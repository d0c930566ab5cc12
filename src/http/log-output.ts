import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { DestinationStream } from 'pino'

const STDOUT = 1
/** A pipe that is full is usually read within that time. Afterwards lines are dropped: requests must not wait for the log. */
const MAX_WAIT_MS = 200
const WAIT_STEP_MS = 10
const EMPTY = Buffer.alloc(0)
/** Lines wait so long, or until so many characters have come together: one write for many of them. */
const MAX_DELAY_MS = 100
const MAX_CHARACTERS = 16 * 1024
/** Lines of level `error` and `fatal` are written at once. */
const URGENT = /^\{"level":[56]0/

/** Where the lines of the log go. */
export interface LogOutput extends DestinationStream {
  /** Lines that could not be written since the last one that could; absent where none is ever dropped. */
  readonly droppedLines?: number
}

/** stdout: as it is, or readable where it is a terminal. */
export async function stdoutLog(): Promise<LogOutput> {
  // Not `process.stdout.isTTY`, whose first use makes writes to a full pipe fail instead of wait.
  if (!isatty(STDOUT)) {
    const output = lineOutput(STDOUT)
    process.once('exit', output.flush)
    return output
  }
  // It takes 20 ms to load, which a start without a terminal can save.
  const { default: pretty } = await import('pino-pretty')
  return pretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss' })
}

/**
 * Writes lines, many at a time, within a tenth of a second; `flush` writes them now. Never throws: lines that cannot be written (disk full, file limit, I/O error) are dropped, and
 * the first line afterwards says how many. When nobody reads a pipe any more (EPIPE), it stops.
 */
export function lineOutput(fd: number): LogOutput & { flush: () => void } {
  let lines: string[] = []
  let characters = 0
  let timer: NodeJS.Timeout | undefined
  let isRead = true
  let dropped = 0
  /** What is left of a line whose beginning has been written, and the size of the file at that time. */
  let rest: Buffer = EMPTY
  let sizeAtRest = 0

  return {
    get droppedLines() {
      flush()
      return isRead ? dropped : 0
    },
    write(line) {
      lines.push(line)
      characters += line.length
      if (characters > MAX_CHARACTERS || URGENT.test(line)) flush()
      else timer ??= setTimeout(flush, MAX_DELAY_MS).unref()
    },
    flush,
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    const waiting = lines
    lines = []
    characters = 0
    if (!isRead || waiting.length === 0) return
    // The usual case. Where it fails, `written` says with which line to go on.
    const isWell = rest.length === 0 && dropped === 0
    const bytes = isWell ? Buffer.from(waiting.join('')) : EMPTY
    let written = put(bytes)
    if (isWell && written === bytes.length) return
    for (const text of waiting) {
      const line = Buffer.from(text)
      if (written >= line.length) {
        written -= line.length
      } else {
        if (isWell && dropped === 0 && rest.length === 0) {
          if (written > 0) keepRest(line, written)
          else dropped += 1
        } else writeLine(line)
        written = 0
      }
    }
  }

  function writeLine(line: Buffer): void {
    if (rest.length > 0) finishLine()
    if (rest.length === 0 && dropped > 0 && begin(Buffer.from(droppedLine(dropped)))) dropped = 0
    if (rest.length > 0 || dropped > 0 || !begin(line)) dropped += 1
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
