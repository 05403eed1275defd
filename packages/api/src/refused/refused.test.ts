// Runs every refused example through its row as the pipeline would, and sees to it that no kind lacks any.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KindRow } from '../kind-row.ts'
import { minors } from '../tables.ts'
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

/** Their rules live with the code that gives them their meaning, and so do the examples of what is refused. */
const elsewhere = new Set(['admissionregistration.k8s.io'])

function classesOf(row: KindRow): readonly string[] {
  const verbs = row.verbs as readonly string[]
  return [
    ...(verbs.includes('create') ? ['create'] : []),
    ...(verbs.includes('update') ? ['update'] : []),
    ...Object.keys(row.subresourceUpdates),
  ]
}

test('every kind that a minor serves has a refused example of each class that it can have', async () => {
  for (const minor of minors) {
    const rows = await rowHarness(minor)
    const found = new Map(allRefused.map((examples) => [rows.row(examples.kind), examples]))
    for (const row of rows.rows()) {
      // Another version of a kind has the rules of the one that it is stored as.
      if (row.virtual || elsewhere.has(row.group) || (row.storedAs !== undefined && !found.has(row))) continue
      const examples = found.get(row)
      assert.ok(examples, `${minor}: ${row.group}/${row.version} ${row.kind} has no refused examples`)
      for (const name of classesOf(row)) {
        const own =
          name === 'create' || name === 'update' || name === 'status' ? examples[name] : examples.through?.[name]
        assert.ok((own ?? []).length > 0, `${minor}: ${row.kind} has no refused example of a ${name}`)
      }
    }
  }
})
