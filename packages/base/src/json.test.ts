// JSON at its edges: large integers, double keys, depth, prototypes, and errors in Go's words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duplicateKeys, encodeJson, JsonSyntaxError, nestingMax, parseJson, stringifyJson } from './json.ts'

test('integers beyond 2^53 stay exact both ways', () => {
  const text = '{"a":9007199254740993,"b":-9223372036854775808,"c":1.5,"d":"9007199254740993","e":9007199254740991}'
  const value = parseJson(text) as Record<string, unknown>
  assert.equal(value['a'], 9007199254740993n)
  assert.equal(value['b'], -9223372036854775808n)
  assert.equal(value['d'], '9007199254740993')
  assert.equal(value['e'], 9007199254740991)
  assert.equal(stringifyJson(value), text)
})

test('bytes and text parse alike, and a __proto__ key is an ordinary one', () => {
  const value = parseJson(encodeJson({ ok: 'ä' })) as { ok: string }
  assert.equal(value.ok, 'ä')
  const odd = parseJson('{"__proto__":{"polluted":true}}') as Record<string, unknown>
  assert.equal(Object.hasOwn(odd, '__proto__'), true)
  assert.equal((odd as { polluted?: boolean }).polluted, undefined)
})

test('text nested too deeply is refused before it is parsed', () => {
  const deep = '['.repeat(nestingMax + 1) + ']'.repeat(nestingMax + 1)
  assert.throws(() => parseJson(deep), { name: 'JsonSyntaxError', message: 'exceeded max depth' })
  assert.doesNotThrow(() => parseJson('['.repeat(nestingMax) + ']'.repeat(nestingMax)))
  assert.doesNotThrow(() => parseJson(JSON.stringify('['.repeat(nestingMax * 2))))
})

test('keys that stand twice are named by their paths', () => {
  const text = '{"spec":{"ports":[{"port":1},{"port":2,"name":"a","port":3}],"x":"\\"y\\":1"},"kind":"A","kind":"B"}'
  assert.deepEqual(duplicateKeys(text, JSON.parse(text)), ['spec.ports[1].port', 'kind'])
  const clean = '{"a":{"a":1},"b":[{"a":1},{"a":2}]}'
  assert.deepEqual(duplicateKeys(clean, JSON.parse(clean)), [])
})

const broken: readonly (readonly [string, string])[] = [
  ['', 'unexpected end of JSON input'],
  ['{"a":', 'unexpected end of JSON input'],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
  ['[1 2]', "invalid character '2' after array element"],
  ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
  ['{} x', "invalid character 'x' after top-level value"],
  ['<html>', "invalid character '<' looking for beginning of value"],
]

test('a syntax error speaks as Go does', () => {
  for (const [text, message] of broken) {
    assert.throws(
      () => parseJson(text),
      (error) => error instanceof JsonSyntaxError && error.message === message,
      text,
    )
  }
})
