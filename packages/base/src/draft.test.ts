// A draft is a copy that shares nothing with what it was made of.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draftOf } from './draft.ts'
import { parseJson } from './json.ts'

const text =
  '{"a":[1,{"b":null,"c":[[],{}]},"x"],"big":9007199254740993,"__proto__":{"polluted":true},"constructor":{"d":1},"e":""}'

test('a draft equals what it was made of, keys in their order, whatever they are called', () => {
  const value = parseJson(text)
  const draft = draftOf(value)
  assert.deepEqual(draft, structuredClone(value))
  assert.deepEqual(Object.keys(draft as object), ['a', 'big', '__proto__', 'constructor', 'e'])
  assert.equal((draft as { readonly polluted?: unknown }).polluted, undefined)
})

test('changing a draft leaves what it was made of alone, at every depth', () => {
  const value = parseJson(text) as { readonly a: readonly [number, { readonly c: readonly unknown[] }, string] }
  const draft = draftOf(value)
  const [, inner] = draft.a as [number, { readonly c: unknown[] }, string]
  draft.a[0] = 2
  inner.c.push('more')
  assert.deepEqual(value, parseJson(text))
})
