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

test('BodyBytes.of() gives the same bytes of a list again until an item is another', () => {
  const bytes = new BodyBytes()
  const item = (id: number): object => {
    const made = { id }
    bytes.keep(made)
    return made
  }
  const [one, two, three] = [item(1), item(2), item(3)]
  const first = bytes.of({ value: [one, two] })
  assert.equal(bytes.of({ value: [one, two] }), first)
  for (const value of [[one, three], [one], [one, two, three], [two, one], [one, two]])
    assert.equal(String(bytes.of({ value })), JSON.stringify({ value }))
  const linked = { value: [one, two], nextLink: 'x' }
  assert.equal(String(bytes.of(linked)), JSON.stringify(linked))
})
