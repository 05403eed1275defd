// Runs every refused example through its row as the pipeline would, and sees to it that no kind lacks any.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowHarness, setAt, withValues, type RowHarness } from '../kinds/row-harness.ts'
import { allRefused } from './all.ts'
import type { Refusal, RefusedExamples, Values } from './examples.ts'

const harness = await rowHarness()

function apply(object: object, values: Values): void {
  for (const [path, value] of Object.entries(values)) setAt(object, path, value)
}

function errorsOf([, errors]: Refusal): readonly string[] {
  return typeof errors === 'string' ? [errors] : errors
}

function check(rows: RowHarness, { kind, valid }: RefusedExamples, refusal: Refusal, subresource: string): void {
  const [change, , stored = {}] = refusal
  const { errors } = rows.update(kind, valid, {
    subresource,
    stored: (object) => apply(object, structuredClone(stored)),
    change: (object) => apply(object, change),
  })
  assert.deepEqual(errors, errorsOf(refusal), `${kind} ${subresource} ${JSON.stringify(change).slice(0, 300)}`)
}

for (const examples of allRefused) {
  const { kind, valid, create, update, status = [], through = {} } = examples
  test(`what a ${kind} may not say or change is refused with upstream's words`, () => {
    assert.deepEqual(harness.create(kind, valid).errors, [], `the valid ${kind}`)
    for (const refusal of create) {
      const { errors } = harness.create(kind, withValues(valid, refusal[0]))
      assert.deepEqual(errors, errorsOf(refusal), `${kind} ${JSON.stringify(refusal[0]).slice(0, 300)}`)
    }
    for (const refusal of update) check(harness, examples, refusal, '')
    for (const refusal of status) check(harness, examples, refusal, 'status')
    for (const [subresource, refusals] of Object.entries(through))
      for (const refusal of refusals) check(harness, examples, refusal, subresource)
  })
}
