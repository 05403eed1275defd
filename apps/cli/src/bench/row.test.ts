// The arithmetic of rows, by table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, rowOf } from './row.ts'
import { stagesForTest } from './stages-for-test.ts'

test('median() takes the middle, or the mean of the two in the middle', () => {
  assert.equal(median([3]), 3)
  assert.equal(median([9, 1, 4]), 4)
  assert.equal(median([4, 1, 2, 100]), 3)
  assert.throws(() => median([]), /no values/)
})

test('rowOf() divides the median by the mean of both probes', () => {
  const row = rowOf({
    name: 'C3.api x',
    unit: 's',
    runs: [0.5, 0.3, 0.4],
    probe: { of: 'p', before: 0.03, after: 0.05 },
    stages: stagesForTest(),
    details: { note: 1 },
  })
  assert.equal(row.value, 0.4)
  assert.equal(row.ratio, 10)
  assert.deepEqual([row.probeBefore, row.probeAfter, row.ratioOf], [0.03, 0.05, 'p'])
  assert.deepEqual(row.details, { runs: [0.5, 0.3, 0.4], stages: stagesForTest(), note: 1 })
})
