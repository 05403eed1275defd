// Keeps what is generated fresh: a stale file is rewritten, and the test then fails once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultFactsDir, generated, writeStale } from './generate.ts'

test('generated tables and interfaces are those that the generator makes now', () => {
  const files = generated(defaultFactsDir())
  assert.ok(files.size > 20, `only ${files.size} files were generated`)
  assert.deepEqual(writeStale(files), [], 'rewritten; look at the difference and commit it')
})

test('without facts the interfaces are made from the checked-in tables', () => {
  const files = generated('/nonexistent')
  assert.ok(files.has('packages/api/src/types/core-v1.ts'))
  assert.deepEqual(
    [...files.keys()].filter((path) => path.endsWith('.json')),
    [],
  )
})
