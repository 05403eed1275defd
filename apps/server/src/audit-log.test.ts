// The audit log on a disk that takes its lines, and on one that is full.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { logTo, silentLog, type Log, type LogLine } from '@aksel/base/log'
import { systemClock, shiftedClock, type Clock } from '@aksel/base/clock'
import { Counter } from '@aksel/apiserver/metrics'
import { defaultAuditLogLimits, openAuditLog } from './audit-log.ts'

test('entries stand in the audit log in their order, whatever was being written when they came', async () => {
  await using directory = await temporary()
  const path = join(directory.path, 'audit.jsonl')
  const log = await openAuditLog(own(silentLog()), path)
  for (let round = 0; round < 20; round += 1) {
    for (let i = 0; i < 10; i += 1) void log.write({ number: round * 10 + i, text: 'é\n' })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await log[Symbol.asyncDispose]()
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { readonly number: number }).number),
    Array.from({ length: 200 }, (_, i) => i),
  )
})

test('a disk that is full is complained of once, what it did not take is counted, and writing an entry does not throw', async () => {
  const lines: LogLine[] = []
  const lost = new Counter()
  const log = await openAuditLog(own(logTo((line) => void lines.push(line))), '/dev/full', {
    ...defaultAuditLogLimits,
    lost,
  })
  void log.write({ number: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  void log.write({ number: 2 })
  await log[Symbol.asyncDispose]()
  assert.equal(lines.length, 1)
  assert.deepEqual(lost.lines('lost'), ['lost{plugin="log"} 2'])
  assert.match(JSON.stringify(lines[0]), /audit entries could not be written/)
})

test('whoever waits for an entry is told when it stands in the log, and whether it does', async () => {
  await using directory = await temporary()
  const path = join(directory.path, 'audit.jsonl')
  for (const mode of ['blocking', 'blocking-strict'] as const) {
    await using log = await openAuditLog(own(silentLog()), path, { ...defaultAuditLogLimits, mode })
    assert.equal(log.write.isAwaited, true)
    const kept = [log.write({ mode, number: 1 }), log.write({ mode, number: 2 })]
    for (const one of kept) assert.equal(await one, true)
    assert.match(await readFile(path, 'utf8'), new RegExp(`"${mode}","number":1}\n{"mode":"${mode}","number":2}\n$`))
    // Upstream's: only the strict mode makes a failure everybody's.
    const lost = new Counter()
    await using full = await openAuditLog(own(silentLog()), '/dev/full', { ...defaultAuditLogLimits, mode, lost })
    assert.equal(await full.write({ number: 1 }), mode === 'blocking')
    assert.deepEqual(lost.lines('lost'), ['lost{plugin="log"} 1'])
  }
})

test('a file that is full is put aside, and only so many of them are kept, and none that is too old', async () => {
  await using directory = await temporary()
  const path = join(directory.path, 'audit.jsonl')
  const limits = { fileMaxBytes: 200, backupsMax: 3, ageMaxDays: 30 }
  const write = async (log: Awaited<ReturnType<typeof openAuditLog>>, from: number, until: number): Promise<void> => {
    for (let at = from; at < until; at++) {
      void log.write({ at, text: 'x'.repeat(120) })
      // While one file takes the place of another there is none for a moment.
      const text = (): Promise<string> => readFile(path, 'utf8').catch(() => '')
      while (!(await text()).includes(`"at":${at},`)) await new Promise(setImmediate)
    }
  }
  const lines = async (): Promise<readonly number[]> => {
    const names = (await readdir(directory.path)).filter((name) => name.startsWith('audit-')).sort()
    const texts = await Promise.all(
      [...names, 'audit.jsonl'].map((name) => readFile(join(directory.path, name), 'utf8')),
    )
    return texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => (JSON.parse(line) as { at: number }).at)
  }
  const log = await openAuditLog(own(silentLog(), steps()), path, limits)
  await write(log, 0, 7)
  await log[Symbol.asyncDispose]()
  // Three backups and the file itself, one line each: the older ones went.
  assert.deepEqual(await lines(), [3, 4, 5, 6])
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  const later = shiftedClock(steps(), 40 * 86_400_000)
  const second = await openAuditLog(own(silentLog(), later), path, limits)
  await write(second, 7, 8)
  await second[Symbol.asyncDispose]()
  assert.deepEqual(await lines(), [6, 7])
})

function own(log: Log, clock: Clock = systemClock()): { readonly log: Log; readonly clock: Clock } {
  return { log, clock }
}

/** Each look is a second later. */
function steps(): Clock {
  let atMs = Date.UTC(2030, 0, 1)
  return { ...systemClock(), now: () => (atMs += 1000) }
}

async function temporary(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'aksel-audit-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
