// What is sent says the same as the body, whether its bytes were kept or not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyBytes } from './body-bytes.ts'

test('BodyBytes.of() is the JSON of the body, whatever of it is kept', () => {
  const bytes = new BodyBytes()
  const items = [{ id: 1, name: 'ä "quoted"' }, { id: 2, gone: undefined }, { id: 3 }]
  bytes.keep(items[0]!)
  bytes.keep(items[2]!)
  const bodies = [
    { value: items },
    { value: [...items, null, 'text', 5, undefined] },
    { value: items, nextLink: 'https://here/?$skiptoken=MQ' },
    { value: [] },
    { value: [{ other: true }] },
    { id: 'single' },
    items[0]!,
    [1, 2],
  ]
  for (let round = 0; round < 2; round += 1)
    for (const body of bodies) assert.equal(String(bytes.of(body)), JSON.stringify(body))
})

test('BodyBytes.of() writes a body that is kept once', () => {
  const bytes = new BodyBytes()
  let written = 0
  const body = { toJSON: () => ({ written: (written += 1) }) }
  bytes.keep(body)
  for (let round = 0; round < 3; round += 1)
    assert.equal(String(bytes.of({ value: [body] })), '{"value":[{"written":1}]}')
  assert.equal(written, 1)
})
