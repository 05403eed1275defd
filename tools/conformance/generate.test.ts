// The generator of the conformance table, held against small documents and against the tests as they are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conformanceTests, renderConformance, writeConformanceIfStale } from './generate.ts'

const row = (name: string, state: string, proof: string): string => `| \`${name}\` | 1.34 | ${state} |${proof} |`

test('the conformance table is what the tests have', () => {
  assert.equal(writeConformanceIfStale(), false, 'rewritten; look at the difference and commit it')
})

test('a row passes when a test has its name, and is open again when that test goes', () => {
  const name = '[sig-x] A should work [Conformance]'
  const tests = conformanceTests([{ relative: 'tests/a.test.ts', text: `test('${name}', () => {})` }])
  const passing = row(name, 'passes', ` \`tests/a.test.ts\` ${name}`)
  assert.equal(renderConformance(row(name, 'open', ''), tests), passing)
  assert.equal(renderConformance(passing, new Map()), row(name, 'open', ''))
  assert.throws(() => renderConformance('', tests), /no row of .* is named \[sig-x\] A should work/)
})
