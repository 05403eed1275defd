// Indented JSON is the same JSON, in whatever pieces it comes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Indenter } from './indent.ts'

const samples = [
  {},
  [],
  { a: {}, b: [], c: [[], {}], d: 'x' },
  { text: 'a "quoted" {brace}, [list]: \\ ü € 😀', number: 9007199254740991, deep: [{ a: [1, 2, { b: null }] }, true] },
  [1, 'two', [3, ['four']], { five: false }],
]

test('Indenter breaks lines as JSON.stringify does, whatever the pieces', () => {
  for (const sample of samples) {
    const bytes = Buffer.from(JSON.stringify(sample))
    const wanted = JSON.stringify(sample, null, 2)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const indenter = new Indenter()
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(indenter.push(bytes.subarray(at, at + size)))
      assert.equal(Buffer.concat(pieces).toString(), wanted, `${size}: ${bytes.toString()}`)
    }
  }
})

test('Indenter keeps integers that a number could not hold', () => {
  const text = '{"a":9223372036854775807,"b":1e+30}'
  assert.equal(new Indenter().push(Buffer.from(text)).toString(), '{\n  "a": 9223372036854775807,\n  "b": 1e+30\n}')
})
