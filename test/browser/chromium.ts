import { spawnSync } from 'node:child_process'
import { type Browser, chromium } from 'playwright-core'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
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

// On some systems that is a script which only explains how to install the browser, so it is tried.
const executablePath = PATHS.find((path) => spawnSync(path, ['--version']).status === 0)

/** Whether this machine has a Chromium that runs. */
export const HAS_CHROMIUM = executablePath !== undefined

/** A headless Chromium. Throws where there is none. */
export async function launchChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(`no Chromium runs at ${PATHS.join(', ')}`)
  return chromium.launch({ executablePath, args: FLAGS })
}
