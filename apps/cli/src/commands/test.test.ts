// The gate leaves nothing out: every test file is in it, and in it once.

import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { stagesOf } from './test.ts'

const repositoryRoot = fileURLToPath(new URL('../../../../', import.meta.url))

test('every test file is in the gate once', () => {
  const tasks = stagesOf({ repositoryRoot }, undefined).flat(2)
  // A sample runs again under the other minors.
  const files = tasks
    .filter(({ environment }) => environment === undefined)
    .flatMap(({ argv }) => argv.filter((word) => word.endsWith('.test.ts')))
  const all = globSync('{packages,apps,tools,tests}/**/*.test.ts', {
    cwd: repositoryRoot,
    exclude: ['**/node_modules/**'],
  })
  assert.ok(all.length > 300, `only ${all.length} test files were found`)
  assert.deepEqual(files.toSorted(), all.toSorted())
})

test('the conformance part alone is the whole suite', () => {
  const conformance = stagesOf({ repositoryRoot }, 'conformance')[0]![0]![0]
  const all = globSync('tests/conformance/**/*.test.ts', { cwd: repositoryRoot })
  assert.deepEqual(conformance!.argv.filter((word) => word.endsWith('.test.ts')).toSorted(), all.toSorted())
})
