import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The processor of the servers, and the one that the load and Dots' stand-in share. */
const CORES = { server: 0, load: 1 }
const START_TIMEOUT_MS = 30_000

export interface Running {
  port: number
  pid: number
  /** From the start of the process to its first answer. */
  startMs: number
  stop: () => Promise<void>
}

interface Start {
  args: readonly string[]
  env?: Record<string, string>
  cwd?: string
  port: number
  /** The first request that it has to answer with a status below 400. */
  path: string
  core: keyof typeof CORES | 'any'
  logPath?: string
}

/** Binds this process and each server to a core, where there are two and `taskset` is there; false where not. */
export const isPinned = ((): boolean => {
  try {
    execFileSync('taskset', ['-pc', String(CORES.load), String(process.pid)], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

/** Starts a Node program, and waits until it answers. @throws Error where it ends or does not answer in time. */
export async function start({ args, env = {}, cwd, port, path, core, logPath }: Start): Promise<Running> {
  const log = logPath === undefined ? 'ignore' : openSync(logPath, 'a')
  const command = [process.execPath, ...args]
  if (isPinned) command.unshift('taskset', '-c', core === 'any' ? '0-1' : String(CORES[core]))
  const [file = '', ...rest] = command
  const startedAt = performance.now()
  const child = spawn(file, rest, {
    cwd,
    // Nothing of this machine's own settings reaches a server.
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', log, 'inherit'],
  })
  while (!(await answers(port, path))) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended with ${child.exitCode}`)
    if (performance.now() - startedAt > START_TIMEOUT_MS) throw new Error(`${args.join(' ')} does not answer`)
    await sleep(3)
  }
  return {
    port,
    pid: child.pid ?? 0,
    startMs: performance.now() - startedAt,
    stop: () => stop(child),
  }
}

async function answers(port: number, path: string): Promise<boolean> {
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' })
    return status < 400
  } catch {
    return false
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 12_000)
  await ended
  clearTimeout(timer)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('no free port')
  return address.port
}

/** Processor time of a process with all its threads, in microseconds (proc(5): clock ticks of 10 ms). */
export function cpuMicroseconds(pid: number): number {
  const fields = readFileSync(join('/proc', String(pid), 'stat'), 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** Resident memory in megabytes. */
export function memoryMb(pid: number): number {
  const status = readFileSync(join('/proc', String(pid), 'status'), 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}
