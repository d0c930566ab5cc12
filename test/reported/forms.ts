import { expect } from 'vitest'
import { readTags } from '../pages/markup.ts'
import type { Service } from '../service.ts'

interface Form {
  action: string
  fields: [name: string, value: string][]
}

/** The first form of a page that opens a checkout, as a browser would send it. */
export function formOf(page: string): Form {
  const form = /<form method="post" action="\/buy\/[\s\S]*?<\/form>/.exec(page)?.[0] ?? ''
  const tags = readTags(form)
  const action = tags.find(({ name }) => name === 'form')?.attributes.action ?? ''
  expect(action).toMatch(/^\/buy\/./)
  const fields = tags.flatMap(({ name, attributes }): Form['fields'] =>
    name === 'input' ? [[attributes.name ?? '', attributes.value ?? '']] : [],
  )
  return { action, fields }
}

export async function submit(shop: Service, { action, fields }: Form, headers: Record<string, string> = {}) {
  const answer = await shop.get(action, { method: 'POST', headers, body: new URLSearchParams(fields) })
  expect(`${action} ${answer.status}`).toBe(`${action} 303`)
  return answer
}
