// What is refused before any value is known, in the words of CEL's tools.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from './compile.ts'
import { environment } from './environment.ts'
import { CelCompileError } from './problems.ts'
import { schemaType } from './schema-types.ts'
import { dynType, intType, typeName } from './types.ts'

const self = schemaType(
  {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', maxLength: 10 },
      count: { type: 'integer' },
      namespace: { type: 'string' },
      'a-b': { type: 'string' },
      tags: { type: 'array', items: { type: 'string' } },
      size: { 'x-kubernetes-int-or-string': true },
      since: { type: 'string', format: 'date-time' },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      limits: { type: 'object', additionalProperties: { type: 'integer' } },
    },
  },
  { name: 'selfType.1', isRoot: true },
)!

const env = environment({ variables: { self, x: intType, any: dynType } })

function refusal(expression: string): string {
  try {
    compile(expression, env)
  } catch (error) {
    if (error instanceof CelCompileError) return error.problems.map(({ message }) => message).join(' | ')
    throw error
  }
  return 'compiles'
}

test('the checker finds what no value could satisfy, and says so as upstream does', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['y > 1', "undeclared reference to 'y' (in container '')"],
    ['self.foo', "undefined field 'foo'"],
    ['self.count + "a"', "found no matching overload for '_+_' applied to '(int, string)'"],
    ['self.count.startsWith("a")', "found no matching overload for 'startsWith' applied to 'int.(string)'"],
    ['foo(1)', "undeclared reference to 'foo' (in container '')"],
    ['x.foo', "type 'int' does not support field selection"],
    ['x.all(i, true)', "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"],
    ['self.tags.map(t, t + 1)', "found no matching overload for '_+_' applied to '(string, int)'"],
    ['self.tags.all(t, 1)', "found no matching overload for '_&&_' applied to '(bool, int)'"],
    ['[1, "a"]', "expected type 'int' but found 'string'"],
    ['{"a": 1, "b": true}', "expected type 'int' but found 'bool'"],
    ['1 == "a"', "found no matching overload for '_==_' applied to '(int, string)'"],
    ['has(x)', 'invalid argument to has() macro'],
    ['[1].all(1, true)', 'argument must be a simple name'],
    ['"a".matches("(")', 'invalid matches argument'],
    ['duration("1 hour")', 'invalid duration argument'],
    ['self.namespace', "undefined field 'namespace'"],
    ['namespace == ""', 'Syntax error: reserved identifier: namespace'],
    [
      '1 +',
      "Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
    ],
    ['self.tags = []', "Syntax error: token recognition error at: '='"],
    ['Foo{a: 1}', "undeclared reference to 'Foo' (in container '')"],
    ['self.__namespace__ + self.a__dash__b', 'compiles'],
    ['self.metadata.name == self.kind', 'compiles'],
    ['self.size == 1 || self.size == "50%"', 'compiles'],
    ['self.since > timestamp("2024-01-01T00:00:00Z")', 'compiles'],
    ['self.limits.exists(k, self.limits[k] > 1)', 'compiles'],
    ['any.thing[0].else_ == 1', 'compiles'],
  ]
  assert.deepEqual(
    rows.map(([expression]) => [expression, refusal(expression)]),
    rows,
  )
})

test('a problem is shown with its line and a caret under it', () => {
  try {
    compile('true &&\n  self.foo', env)
    assert.fail('compiled')
  } catch (error) {
    assert.equal((error as Error).message, "ERROR: <input>:2:7: undefined field 'foo'\n |   self.foo\n | ......^")
  }
})

test('the type of an expression is known before it runs', () => {
  const rows = [
    ['self.tags.filter(t, t != "")', 'list(string)'],
    ['self.limits', 'map(string, int)'],
    ['self.?name', 'optional_type(string)'],
    ['x > 1 ? self.size : dyn(1)', 'dyn'],
    ['{"a": [1]}', 'map(string, list(int))'],
    ['[]', 'list(dyn)'],
    ['self', 'selfType.1'],
  ] as const
  assert.deepEqual(
    rows.map(([expression]) => [expression, typeName(compile(expression, env).outputType)]),
    rows,
  )
})

test('long and deep texts are refused at once', () => {
  assert.match(
    refusal(`"${'a'.repeat(100_001)}"`),
    /expression code point size exceeds limit: size: 100003, limit 100000/,
  )
  assert.match(refusal('('.repeat(300) + '1' + ')'.repeat(300)), /expression recursion limit exceeded: 250/)
  assert.match(refusal('1' + '+1'.repeat(400)), /expression recursion limit exceeded: 250/)
  assert.match(refusal('any' + '.a'.repeat(400)), /expression recursion limit exceeded: 250/)
  assert.equal(refusal('true' + '&&true'.repeat(5000)), 'compiles')
})
