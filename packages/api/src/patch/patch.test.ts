// The three patch types: RFC examples, Kubernetes' directives, and a property against an obvious reference.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@aksel/base/errors'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { loadTables } from '../tables.ts'
import { jsonPatch } from './json-patch.ts'
import { isPlainObject, mergePatch } from './merge-patch.ts'
import { patchSchemaOf, type PatchSchema } from './patch-schema.ts'
import { strategicMergePatch } from './strategic-merge-patch.ts'

const schema = patchSchemaOf(await loadTables('1.35'), 'apps/v1.Deployment')

test('mergePatch() follows the examples of RFC 7396', () => {
  const cases: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of cases) assert.deepEqual(mergePatch(target, patch), result)
})

test('jsonPatch() adds, removes, replaces, moves, copies and tests', () => {
  const document = { a: [1, 2], b: { c: 1, 'x/y': 2 } }
  assert.deepEqual(jsonPatch(document, [{ op: 'add', path: '/a/1', value: 9 }]), { ...document, a: [1, 9, 2] })
  assert.deepEqual(jsonPatch(document, [{ op: 'add', path: '/a/-', value: 9 }]), { ...document, a: [1, 2, 9] })
  assert.deepEqual(jsonPatch(document, [{ op: 'remove', path: '/b/x~1y' }]), { a: [1, 2], b: { c: 1 } })
  assert.deepEqual(jsonPatch(document, [{ op: 'replace', path: '/b/c', value: 5 }]), {
    a: [1, 2],
    b: { c: 5, 'x/y': 2 },
  })
  assert.deepEqual(jsonPatch(document, [{ op: 'move', from: '/b/c', path: '/d' }]), {
    a: [1, 2],
    b: { 'x/y': 2 },
    d: 1,
  })
  assert.deepEqual(jsonPatch(document, [{ op: 'copy', from: '/a', path: '/d' }]), { ...document, d: [1, 2] })
  assert.throws(
    () => jsonPatch(document, [{ op: 'test', path: '/b/c', value: 2 }]),
    (error) => isReason(error, 'Invalid'),
  )
  assert.throws(
    () => jsonPatch(document, [{ op: 'remove', path: '/none' }]),
    (error) => isReason(error, 'Invalid'),
  )
  assert.throws(
    () => jsonPatch(document, { op: 'add' }),
    (error) => isReason(error, 'BadRequest'),
  )
  assert.deepEqual(document, { a: [1, 2], b: { c: 1, 'x/y': 2 } })
})

function deployment(containers: readonly unknown[]): Record<string, unknown> {
  return { spec: { replicas: 1, template: { spec: { containers } } } }
}

function containersAfter(original: readonly unknown[], patch: unknown): unknown {
  const merged = strategicMergePatch(deployment(original), { spec: { template: { spec: patch } } }, schema) as {
    spec: { template: { spec: { containers: unknown } } }
  }
  return merged.spec.template.spec.containers
}

const two = [
  { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
  { name: 'b', image: '1' },
]

test('strategicMergePatch() merges containers by name and keeps the rest', () => {
  assert.deepEqual(containersAfter(two, { containers: [{ name: 'b', image: '2' }] }), [
    two[0],
    { name: 'b', image: '2' },
  ])
  assert.deepEqual(containersAfter(two, { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] }), [
    {
      name: 'a',
      image: '1',
      env: [
        { name: 'Y', value: '2' },
        { name: 'X', value: '1' },
      ],
    },
    two[1],
  ])
})

test('strategicMergePatch() deletes, replaces and orders list items by directive', () => {
  assert.deepEqual(containersAfter(two, { containers: [{ name: 'a', $patch: 'delete' }] }), [two[1]])
  assert.deepEqual(containersAfter(two, { containers: [{ $patch: 'replace' }, { name: 'z' }] }), [{ name: 'z' }])
  const order = {
    '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
    containers: [{ name: 'c', image: '1' }],
  }
  assert.deepEqual(containersAfter(two, order), [{ name: 'c', image: '1' }, two[0], two[1]])
})

test('strategicMergePatch() handles primitive lists, retained keys and removed fields', () => {
  const original = {
    metadata: { finalizers: ['x', 'y'] },
    spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
  }
  const patch = {
    metadata: { '$deleteFromPrimitiveList/finalizers': ['x'], finalizers: ['z'] },
    spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
  }
  assert.deepEqual(strategicMergePatch(original, patch, schema), {
    metadata: { finalizers: ['z', 'y'] },
    spec: { strategy: { type: 'Recreate' } },
  })
  assert.deepEqual(strategicMergePatch({ spec: { replicas: 3, paused: true } }, { spec: { paused: null } }, schema), {
    spec: { replicas: 3 },
  })
})

test('strategicMergePatch() refuses what makes no sense', () => {
  assert.throws(
    () => containersAfter(two, { containers: [{ image: 'x' }] }),
    /does not contain declared merge key: name/,
  )
  assert.throws(
    () => strategicMergePatch({}, { $patch: 'bogus' }, schema),
    /unknown patch type: bogus in map: map\[\$patch:bogus\]/,
  )
})

test('without lists and directives a strategic merge is a JSON merge', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seededRandom(seed * 7919)
    const original = randomObject(random, 3) as Record<string, unknown>
    const patch = randomObject(random, 3)
    const plain: PatchSchema = { field: () => undefined }
    assert.deepEqual(
      pruned(strategicMergePatch(original, patch, plain)),
      pruned(mergePatch(original, patch)),
      `seed ${seed}`,
    )
  }
})

/** The two differ in whether an object of nulls leaves an empty object where nothing stood: both mean nothing. */
function pruned(value: unknown): unknown {
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, pruned(item)]),
  )
}

function randomObject(random: Random, depth: number): unknown {
  const keys = ['a', 'b', 'c', 'd'].filter(() => fraction(random) < 0.6)
  return Object.fromEntries(
    keys.map((key) => {
      const dice = fraction(random)
      if (depth > 0 && dice < 0.4) return [key, randomObject(random, depth - 1)]
      return [key, dice < 0.55 ? null : Math.floor(dice * 10)]
    }),
  )
}
