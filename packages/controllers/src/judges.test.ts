// Every pure decision of a loop has a table of its own beside it.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const judged = /^(judge|plan|rules|health|zones|hints|schedule|replicas)(-[a-z-]+)?\.ts$/

test('every file that judges or plans is tried by a test in its own folder', () => {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  let found = 0
  const untried = folders.flatMap(({ name }) => {
    const directory = join(import.meta.dirname, name)
    const files = readdirSync(directory)
    const tests = files
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(directory, file), 'utf8'))
    const pure = files.filter((file) => judged.test(file))
    found += pure.length
    return pure.filter((file) => !tests.some((text) => text.includes(`'./${file}'`))).map((file) => `${name}/${file}`)
  })
  assert.deepEqual(untried, [])
  assert.ok(found > 25, `only ${found} files were found`)
})
