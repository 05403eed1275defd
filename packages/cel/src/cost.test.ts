// What expressions cost, before and while they run, and that a budget ends them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, costPerCallMax, estimatedCostMax } from './compile.ts'
import { environment } from './environment.ts'
import { CelCostError } from './problems.ts'
import { schemaType, type StructuralSchema } from './schema-types.ts'
import { dynType, listOf, stringType } from './types.ts'

function estimate(schema: StructuralSchema, expression: string): { min: number; max: number } {
  return compile(expression, environment({ variables: { self: schemaType(schema)! } })).estimatedCost()
}

function object(properties: Record<string, StructuralSchema>): StructuralSchema {
  return { type: 'object', properties }
}

const ints = (maxItems?: number): StructuralSchema => ({
  type: 'array',
  items: { type: 'integer' },
  ...(maxItems === undefined ? {} : { maxItems }),
})

test('estimates follow the bounds of the schema', () => {
  const rows: readonly (readonly [StructuralSchema, string, number, number])[] = [
    [object({ s: { type: 'string' } }), 'true', 0, 0],
    [object({ l: ints(10) }), 'self.l.all(x, true)', 3, 33],
    [object({ l: ints(10) }), 'self.l.all(x, x == x)', 3, 53],
    [object({ s: { type: 'string', maxLength: 25 } }), 'self.s == "abc"', 3, 3],
    [object({ s: { type: 'string', maxLength: 100 } }), 'self.s.contains("abc")', 2, 42],
    [object({ s: { type: 'string', maxLength: 100 } }), 'self.s.matches("^a+$")', 3, 43],
    [object({ n: { type: 'integer' } }), 'self.n > 5', 3, 3],
    [object({ n: { type: 'integer' } }), 'has(self.n)', 1, 1],
    [object({ n: { type: 'integer' } }), 'self.n > 5 && self.n < 9', 3, 6],
    [object({ n: { type: 'integer' } }), '[1, 2].size() + {"a": 1}.size()', 43, 43],
  ]
  assert.deepEqual(
    rows.map(([schema, expression]) => [expression, estimate(schema, expression)]),
    rows.map(([, expression, min, max]) => [expression, { min, max }]),
  )
})

test('unbounded and nested lists pass the limit for one expression', () => {
  const nested: StructuralSchema = { type: 'array', items: ints() }
  assert.ok(estimate(object({ l: nested }), 'self.l.all(a, a.all(b, b > 0))').max > estimatedCostMax)
  assert.ok(
    estimate(object({ l: { type: 'array', maxItems: 10, items: ints(10) } }), 'self.l.all(a, a.all(b, b > 0))').max <
      2000,
  )
})

const env = environment({ variables: { object: dynType, list: listOf(dynType), text: stringType } })

test('what was spent is counted as upstream counts it', () => {
  const rows: readonly (readonly [string, Record<string, unknown>, number])[] = [
    ['object.a.b == 1', { object: { a: { b: 1 } } }, 4],
    ['has(object.a)', { object: { a: 1 } }, 1],
    ['text == "aaaaaaaaaaaaaaaaaaaaaaaaa"', { text: 'a'.repeat(25) }, 4],
    ['text.startsWith("a")', { text: 'a'.repeat(25) }, 4],
    ['[1, 2, 3].all(x, x > 0)', {}, 26],
    ['list.map(x, x)', { list: [1, 2] }, 38],
    ['text.contains("abc")', { text: 'a'.repeat(100) }, 11],
  ]
  assert.deepEqual(
    rows.map(([expression, bindings]) => [expression, compile(expression, env).evaluate(bindings).cost]),
    rows.map(([expression, , cost]) => [expression, cost]),
  )
})

test('catastrophic expressions end at their budget', () => {
  const list = Array.from({ length: 1000 }, (_, index) => index)
  const text = 'a'.repeat(20_000)
  const bombs = [
    'list.all(a, list.all(b, list.all(c, a + b + c >= 0)))',
    'list.map(a, list.map(b, list.map(c, c))).size() > 0',
    '[1, 2].map(a, [text + text, text + text].map(b, [b + b, b + b].map(c, [c + c + c + c].map(d, d + d + d + d + d + d + d + d)))).size() > 0',
    'lists.range(1000000000000).size() > 0',
    'list.map(a, text.matches("(a*)*(a*)*(a*)*b")).size() > 0',
    'list.map(x, lists.range(1000)).flatten().distinct().size() > 0',
    '[list, list, list].map(l, l.map(x, text.replace("", text))).size() > 0',
  ]
  for (const bomb of bombs) {
    const run = (): unknown => compile(bomb, env).evaluate({ list, text }, { costMax: costPerCallMax })
    assert.throws(
      run,
      (error: unknown) => error instanceof CelCostError || /too long/.test((error as Error).message),
      bomb,
    )
  }
})

test('nothing in an expression absorbs the end of its budget', () => {
  const list = Array.from({ length: 2000 }, () => 1)
  const program = compile('list.all(a, list.all(b, a == b)) || true', env)
  assert.throws(() => program.evaluate({ list }, { costMax: 10_000 }), CelCostError)
})
