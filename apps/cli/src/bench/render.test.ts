// What a person sees of a row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTable, inUnit } from './render.ts'
import { rowOf } from './row.ts'
import { stagesForTest } from './stages-for-test.ts'

test('inUnit() writes seconds to the millisecond and bytes in megabytes', () => {
  assert.equal(inUnit(0.41234, 's'), '0.412 s')
  assert.equal(inUnit(183_456_789, 'bytes'), '183.5 MB')
})

test('renderTable() shows each row, and what is behind them once', () => {
  const processes = [{ role: 'server', count: 1, cpuSeconds: 1.2345, rssAnonBytes: 1e8, rssFileBytes: 5e7 }]
  const stages = { ...stagesForTest(), durability: { ran: false, evidence: 'not found' } }
  const rows = ['C3.api a', 'C3.pod bb'].map((name) =>
    rowOf({
      name,
      unit: 's',
      runs: [0.4],
      probe: { of: 'p', before: 0.04, after: 0.04 },
      stages,
      details: { processes, interrupted: 'after 1 of 2 seconds', milestones: { 'API answers': 0.4, 'pod Running': 1 } },
    }),
  )
  assert.equal(
    renderTable(rows),
    [
      'ROW        VALUE    RATIO  OF  PROBE BEFORE  PROBE AFTER',
      'C3.api a   0.400 s  10×    p   0.040 s       0.040 s',
      'C3.pod bb  0.400 s  10×    p   0.040 s       0.040 s',
      '',
      'Interrupted after 1 of 2 seconds.',
      'Stages that ran: tls, authentication, rbac, flowControl, admission, validation, audit; not shown: durability',
      'Steps: API answers 0.400 s, pod Running 1.000 s',
      'server (1): 1.23 CPU-seconds, RssAnon 100.0 MB, RssFile 50.0 MB',
      '',
    ].join('\n'),
  )
})
