import { spawnSync } from 'node:child_process'
import { type Browser, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

// Some systems put a script there that only tells how to install the browser: what counts is that it runs.
const executablePath = PLACES.find((path) => spawnSync(path, ['--version']).status === 0)

/** Whether this machine has a Chromium that runs. */
export const HAS_CHROMIUM = executablePath !== undefined

/** A Chromium without a window that talks to this machine alone. Throws where there is none. */
export async function launchChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(`no Chromium runs at ${PLACES.join(', ')}`)
  return chromium.launch({ executablePath, args: FLAGS })
}
