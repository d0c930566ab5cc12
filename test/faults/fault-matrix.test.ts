import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FAULTS, TRIED_ELSEWHERE } from './matrix.ts'

test('each fault of the matrix is brought about at least once', () => {
  const sources = globSync('test/faults/*-faults.test.ts').map((path) => readFileSync(path, 'utf8'))
  const untried = Object.keys(FAULTS).filter(
    (fault) => !(fault in TRIED_ELSEWHERE) && !sources.some((text) => text.includes(`'${fault}'`)),
  )
  expect(untried).toEqual([])
  for (const path of Object.values(TRIED_ELSEWHERE)) expect(existsSync(path), path).toBe(true)
})
