import { pino } from 'pino'
import { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config.ts'
import { openServices, type ServicesOptions } from '../services.ts'
import { type Io, inBrackets } from './command.ts'

/**
 * The services of a command, which runs no jobs, for `await using`. With `mustExist` a missing database is an
 * error instead of a new one. @throws StoreError
 */
export async function openForCommand(
  config: Config,
  io: Io,
  {
    catalog = new Catalog([]),
    mustExist,
    pace,
  }: Pick<ServicesOptions, 'catalog' | 'pace'> & { mustExist?: boolean } = {},
) {
  const services = await openServices(config, {
    log: sentenceLog(io),
    catalog,
    pace,
    storeOptions: { mustExist, withoutThread: true },
  })
  return { ...services, [Symbol.asyncDispose]: services.close }
}

/** Warnings and errors as sentences on stderr, so that the command's own output stays readable in a pipe. */
function sentenceLog(io: Io) {
  const write = (text: string) => {
    const { level, event: _event, msg, ...fields }: Record<string, unknown> = JSON.parse(text)
    io.err(`${level}: ${msg}${inBrackets(fields)}`)
  }
  const level = (label: string) => ({ level: label === 'warn' ? 'Warning' : 'Error' })
  return pino({ level: 'warn', base: null, timestamp: false, formatters: { level } }, { write })
}
