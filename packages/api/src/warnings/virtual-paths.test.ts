// Paths that would lie on top of each other, in volumes of any size.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Volume } from '../types/core-v1.ts'
import { overlapWarnings } from './virtual-paths.ts'

const ofItems = (paths: readonly string[]): Volume => ({
  name: 'v',
  configMap: { name: 'm', items: paths.map((path) => ({ key: 'k', path })) },
})
const distinct = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `p${String(at).padStart(6, '0')}`)

test('overlapWarnings() looks at a hundred thousand paths, and at a million slashes, no longer than anybody reads', () => {
  const warned = (paths: readonly string[]): number => overlapWarnings([ofItems(paths)]).length
  assert.equal(warned(['a', ...distinct(300), 'a/b/']), 1)
  assert.equal(warned(['a', ...distinct(100_000), 'a/b/']), 0)
  assert.equal(warned(['a', `${'/'.repeat(1_000_000)}x`, `a${'/'.repeat(1_000_000)}`]), 1)
  const sources = distinct(50_000).map((path) => ({ serviceAccountToken: { path } }))
  assert.deepEqual(overlapWarnings([{ name: 'p', projected: { sources } }]), [])
})
