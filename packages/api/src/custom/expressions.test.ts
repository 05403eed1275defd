// Rules in CEL on values: what they say, when they are judged, and what they may cost.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts'
import { expressionErrors } from './definition/expression-rules.ts'
import { expressionRules } from './expressions.ts'

function object(properties: Readonly<Record<string, JSONSchemaProps>>, ...rules: ValidationRule[]): JSONSchemaProps {
  return { type: 'object', properties, 'x-kubernetes-validations': rules }
}

function judged(schema: JSONSchemaProps, value: unknown, old?: unknown): readonly string[] {
  const errors = expressionRules(schema, true)!.validate(value, old === undefined ? undefined : { old })
  return errors.map(({ field, message }) => `${field}: ${message}`)
}

const size: JSONSchemaProps = { type: 'integer' }

test('a broken rule is told in its own words, at the place that it names', () => {
  const spec = object(
    { min: size, max: size },
    { rule: 'self.min <= self.max', message: 'min is above max' },
    { rule: 'self.max < 10' },
    {
      rule: 'self.min > 0',
      messageExpression: "'min is ' + string(self.min)",
      fieldPath: '.min',
      reason: 'FieldValueForbidden',
    },
  )
  assert.deepEqual(judged(object({ spec }), { spec: { min: 0, max: -1 } }), [
    'spec: Invalid value: min is above max',
    'spec.min: Forbidden: min is 0',
  ])
  assert.deepEqual(judged(object({ spec }), { spec: { min: 1, max: 10 } }), [
    'spec: Invalid value: failed rule: self.max < 10',
  ])
  assert.deepEqual(judged(object({ n: { ...size, 'x-kubernetes-validations': [{ rule: 'self > 1' }] } }), { n: 1 }), [
    'n: Invalid value: 1: failed rule: self > 1',
  ])
})

test('a transition rule is judged where there was a value, an optional one always', () => {
  const n: JSONSchemaProps = {
    ...size,
    'x-kubernetes-validations': [
      { rule: 'self >= oldSelf', message: 'may not shrink' },
      { rule: '!oldSelf.hasValue() || oldSelf.value() != 7', optionalOldSelf: true, message: 'seven stays' },
    ],
  }
  assert.deepEqual(judged(object({ n }), { n: 1 }), [])
  assert.deepEqual(judged(object({ n }), { n: 1 }, { n: 2 }), ['n: Invalid value: 1: may not shrink'])
  assert.deepEqual(judged(object({ n }), { n: 8 }, { n: 7 }), ['n: Invalid value: 8: seven stays'])
  assert.deepEqual(judged(object({ n }), { n: 8 }, {}), [])
})

test('what an update leaves alone is not judged again, and items of a map list are known by their keys', () => {
  const item = object({ id: { type: 'string' }, n: size }, { rule: 'self.n < 5', message: 'too big' })
  const list: JSONSchemaProps = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['id'],
    items: item,
  }
  const old = {
    list: [
      { id: 'a', n: 9 },
      { id: 'b', n: 1 },
    ],
  }
  assert.deepEqual(
    judged(
      object({ list }),
      {
        list: [
          { id: 'b', n: 1 },
          { id: 'a', n: 9 },
        ],
      },
      old,
    ),
    [],
  )
  assert.deepEqual(judged(object({ list }), { list: [{ id: 'b', n: 9 }] }, old), ['list[0]: Invalid value: too big'])
})

test('evaluations that fail, and the budget’s end, are told', () => {
  const spec = object({ map: { type: 'object', additionalProperties: size } }, { rule: "self.map['a'] > 0" })
  assert.deepEqual(judged(object({ spec }), { spec: { map: {} } }), [
    `spec: Invalid value: "object": no such key: a evaluating rule: self.map['a'] > 0`,
  ])
  const list: JSONSchemaProps = {
    type: 'array',
    items: size,
    'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, a + b >= 0))' }],
  }
  const many = Array.from({ length: 1000 }, (_one, index) => index)
  assert.deepEqual(judged(object({ list }), { list: many }), [
    `list: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.all(a, self.all(b, a + b >= 0))`,
  ])
})

test('a definition may not have rules that do not compile, are too dear, or look at what cannot be told apart', () => {
  const wrong = (schema: JSONSchemaProps): readonly string[] =>
    expressionErrors(schema, 'schema', { allowDearRules: false }).map(({ field, message }) => `${field}: ${message}`)
  const [undeclared] = wrong(object({ n: size }, { rule: 'self.m > 1' }))
  assert.match(
    undeclared ?? '',
    /^schema.x-kubernetes-validations\[0\].rule: Invalid value: .*compilation failed: ERROR: .*undefined field 'm'/s,
  )
  assert.match(wrong(object({ n: size }, { rule: 'self.n' }))[0] ?? '', /cel expression must evaluate to a bool$/)
  assert.match(
    wrong(object({ n: size }, { rule: 'self.n > 1', messageExpression: 'self.n' }))[0] ?? '',
    /messageExpression must evaluate to a string$/,
  )
  const items: JSONSchemaProps = { ...size, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] }
  assert.deepEqual(wrong(object({ list: { type: 'array', maxItems: 3, items } })), [
    'schema.properties[list].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[list]',
  ])
  assert.deepEqual(wrong(object({ n: size }, { rule: 'self.n > 1', optionalOldSelf: true })), [
    'schema.x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule',
  ])
  const dear: JSONSchemaProps = {
    type: 'array',
    items: { type: 'string' },
    'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, a.contains(b)))' }],
  }
  assert.match(
    wrong(object({ dear }))[0] ?? '',
    /^schema.properties\[dear\].x-kubernetes-validations\[0\].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x \(try simplifying/,
  )
  assert.match(
    wrong(object({ dear })).at(-1) ?? '',
    /^schema: Forbidden: x-kubernetes-validations estimated rule cost total/,
  )
})
