// The comparison of our table with published pods: it finds what is missing, what is new and what differs.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { publishedCases } from './published-cases.ts'
import { stringify } from 'yaml'
import { differences, readPublished } from './compare-published.ts'

test('a copy that equals the table has no difference, and one that lacks, adds and changes a pod has those', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pod-security-'))
  try {
    const ours = publishedCases(0)
    for (const { level, verdict, name, pod } of ours) write(folder, `${level}/v1.0/${verdict}/${name}.yaml`, pod)
    assert.deepEqual(differences(readPublished(folder, 0), ours), [])
    rmSync(join(folder, 'baseline/v1.0/pass/base.yaml'))
    write(folder, 'restricted/v1.0/pass/base.yaml', { ...ours[0]!.pod, spec: {} })
    write(folder, 'baseline/v1.0/fail/new0.yaml', ours[0]!.pod)
    assert.deepEqual(differences(readPublished(folder, 0), ours).toSorted(), [
      'baseline/v1.0/fail/new0',
      'baseline/v1.0/pass/base',
      'restricted/v1.0/pass/base',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function write(folder: string, path: string, pod: unknown): void {
  const file = join(folder, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, stringify(pod))
}
