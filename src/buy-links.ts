import './node-version.js'
import { processIo } from './commands/command.ts'

// The one program of the bundle: without a command it is the service.
const COMMANDS = {
  backup: () => import('./commands/backup.ts'),
  'check-catalog': () => import('./commands/check-catalog.ts'),
  link: () => import('./commands/link.ts'),
  orders: () => import('./commands/orders.ts'),
  reconcile: () => import('./commands/reconcile.ts'),
}

const [name, ...argv] = process.argv.slice(2)
if (name === undefined) {
  await import('./server.ts')
} else if (isCommand(name)) {
  const { main } = await COMMANDS[name]()
  process.exitCode = await main(argv, processIo())
} else {
  const known = Object.keys(COMMANDS).join(', ')
  process.stderr.write(
    `There is no command ${JSON.stringify(name)}. Without one the service starts; the commands are ${known}.\n`,
  )
  process.exitCode = 2
}

function isCommand(text: string): text is keyof typeof COMMANDS {
  return Object.hasOwn(COMMANDS, text)
}
