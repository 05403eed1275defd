// The protobuf form of the version 2 document, field by field; that kubectl can read it is shown end to end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadTables } from '../tables.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiV2 } from './documents.ts'
import { encodeOpenApiV2 } from './v2-protobuf.ts'

const tables = await loadTables('1.35')
const descriptions = await loadDescriptions()
const kinds = tables.kinds.filter(({ plural, version }) => plural !== undefined && /^v\d+$/.test(version))

const hex = (document: Readonly<Record<string, unknown>>): string =>
  Buffer.from(encodeOpenApiV2(document)).toString('hex')
const ascii = (text: string): string => Buffer.from(text).toString('hex')

test('text, messages and lists stand behind their field numbers', () => {
  assert.equal(
    hex({ swagger: '2.0', info: { title: 'T', version: 'v' }, schemes: ['a', 'b'] }),
    `0a03${ascii('2.0')}` + `1206${`0a01${ascii('T')}1201${ascii('v')}`}` + `2a01${ascii('a')}2a01${ascii('b')}`,
  )
})

test('a definition carries its type, its items and its vendor extensions', () => {
  const type = `b201030a01${ascii('t')}`
  const items = `ba01050a03` + `0a01${ascii('r')}`
  const extension = `fa010b0a03${ascii('x-k')}12041202${ascii('{}')}`
  const schema = `${type}${items}${extension}`
  const length = (text: string): string => (text.length / 2).toString(16).padStart(2, '0')
  const entry = `0a01${ascii('D')}12${length(schema)}${schema}`
  const definitions = `0a${length(entry)}${entry}`
  assert.equal(
    hex({ definitions: { D: { type: 't', items: { $ref: 'r' }, 'x-k': {} } } }),
    `4a${length(definitions)}${definitions}`,
  )
})

test('a parameter stands in the alternative of its place, and false is written where it chooses', () => {
  assert.equal(
    hex({ paths: { '/': { parameters: [{ name: 'n', in: 'path' }] } } }),
    `42181216` + `0a01${ascii('/')}1211` + '4a0f' + '0a0d' + '120b' + '2209' + `2201${ascii('n')}1204${ascii('path')}`,
  )
  assert.match(hex({ definitions: { D: { additionalProperties: false } } }), /aa01021000$/)
})

test('a key without a field is refused rather than left out', () => {
  assert.throws(() => encodeOpenApiV2({ definitions: { D: { oneOf: [] } } }), /no field for "oneOf"/)
})

test('the whole document of a minor has a field for everything', () => {
  assert.ok(encodeOpenApiV2(openApiV2({ tables, descriptions, kinds, gitVersion: 'v1.35.7' })).length > 300_000)
})
