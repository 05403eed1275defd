// The audit log on a disk that takes its lines, and on one that is full.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { logTo, silentLog, type LogLine } from '@aksel/base/log'
import { openAuditLog } from './audit-log.ts'

test('entries stand in the audit log in their order, whatever was being written when they came', async () => {
  await using directory = await temporary()
  const path = join(directory.path, 'audit.jsonl')
  const log = await openAuditLog(silentLog(), path)
  for (let round = 0; round < 20; round += 1) {
    for (let i = 0; i < 10; i += 1) log.write({ number: round * 10 + i, text: 'é\n' })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await log[Symbol.asyncDispose]()
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { readonly number: number }).number),
    Array.from({ length: 200 }, (_, i) => i),
  )
})

test('a disk that is full is complained of once, and writing an entry does not throw', async () => {
  const lines: LogLine[] = []
  const log = await openAuditLog(
    logTo((line) => void lines.push(line)),
    '/dev/full',
  )
  log.write({ number: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  log.write({ number: 2 })
  await log[Symbol.asyncDispose]()
  assert.equal(lines.length, 1)
  assert.match(JSON.stringify(lines[0]), /audit entries could not be written/)
})

async function temporary(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'aksel-audit-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
