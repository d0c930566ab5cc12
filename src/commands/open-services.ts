import { pino } from 'pino'
import { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config.ts'
import { openServices, type Services, type ServicesOptions } from '../services.ts'
import { type Io, inBrackets } from './command.ts'

/** The services of a command, which runs no jobs. @throws StoreError */
export function openForCommand(
  config: Config,
  io: Io,
  { catalog = new Catalog([]), pace }: Pick<ServicesOptions, 'catalog' | 'pace'> = {},
): Promise<Services> {
  return openServices(config, { log: sentenceLog(io), catalog, pace })
}

/** Warnings and errors as sentences on stderr, so that the command's own output stays readable in a pipe. */
function sentenceLog(io: Io) {
  return pino(
    {
      level: 'warn',
      base: null,
      timestamp: false,
      formatters: { level: (label) => ({ level: label === 'warn' ? 'Warning' : 'Error' }) },
    },
    {
      write(text: string) {
        const { level, event: _event, msg, ...fields }: Record<string, unknown> = JSON.parse(text)
        io.err(`${level}: ${msg}${inBrackets(fields)}`)
      },
    },
  )
}
