// Logs from real files: a temporary folder, grown and rotated as containerd and the agent do.

import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { readLog } from './logs.ts'
import type { LogOptions } from './logs.ts'

function scopeOf(signal = new AbortController().signal): Scope {
  return { clock: systemClock(), random: systemRandom(), log: silentLog(), signal }
}

function logFile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-logs-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, '0.log')
  writeFileSync(path, text)
  return path
}

const record = (second: number, text: string, rest = 'stdout F'): string =>
  `2026-05-01T12:00:0${second}.000000001Z ${rest} ${text}\n`

async function read(path: string, options: Partial<LogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of readLog(scopeOf(), { path, timestamps: false, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const three = record(1, 'one') + record(2, 'two', 'stderr F') + record(3, 'three')

test('readLog() shows the text of both streams, or of one', async (t) => {
  const path = logFile(t, three)
  assert.equal(await read(path), 'one\ntwo\nthree\n')
  assert.equal(await read(path, { stream: 'stderr' }), 'two\n')
})

test('readLog() joins partial records and leaves out what is no record', async (t) => {
  const path = logFile(t, `${record(1, 'lo', 'stdout P')}${record(1, 'ng', 'stdout F')}garbage\n${record(2, '')}`)
  assert.equal(await read(path), 'long\n\n')
  assert.equal(
    await read(path, { timestamps: true }),
    '2026-05-01T12:00:01.000000001Z long\n2026-05-01T12:00:02.000000001Z \n',
  )
})

test('readLog() counts the tail from the end, across its own reads', async (t) => {
  const path = logFile(t, three)
  assert.equal(await read(path, { tailLines: 2 }), 'two\nthree\n')
  assert.equal(await read(path, { tailLines: 0 }), '')
  assert.equal(await read(path, { tailLines: 9 }), 'one\ntwo\nthree\n')
  const long = logFile(t, record(1, 'x'.repeat(50_000)).repeat(5) + record(1, 'end'))
  assert.equal((await read(long, { tailLines: 3 })).length, 2 * 50_001 + 4)
})

test('readLog() begins at a time and stops after so many bytes', async (t) => {
  const path = logFile(t, three)
  assert.equal(await read(path, { sinceMs: Date.parse('2026-05-01T12:00:02Z') }), 'two\nthree\n')
  assert.equal(await read(path, { limitBytes: 6 }), 'one\ntw')
  assert.equal(await read(path, { limitBytes: 0 }), '')
})

test('readLog() rejects where the file is missing', async () => {
  await assert.rejects(read('/nonexistent/0.log'), { code: 'ENOENT' })
})

test('readLog() follows growth, also half a line, until the container has ended', async (t) => {
  const path = logFile(t, record(1, 'one'))
  const ended = Promise.withResolvers<void>()
  const log = readLog(scopeOf(), { path, timestamps: false, followUntil: ended.promise })
  const next = async (): Promise<string | undefined> => (await log.next()).value?.toString()
  assert.equal(await next(), 'one\n')
  const waiting = next()
  const line = record(2, 'two')
  appendFileSync(path, line.slice(0, 10))
  appendFileSync(path, line.slice(10))
  assert.equal(await waiting, 'two\n')
  const last = next()
  appendFileSync(path, record(3, 'three'))
  ended.resolve()
  assert.equal(await last, 'three\n')
  assert.equal(await next(), undefined)
})

test('readLog() follows into the new file after a rotation and loses nothing of the old one', async (t) => {
  const path = logFile(t, record(1, 'one'))
  const log = readLog(scopeOf(), { path, timestamps: false, followUntil: new Promise(() => {}) })
  const next = async (): Promise<string | undefined> => (await log.next()).value?.toString()
  assert.equal(await next(), 'one\n')
  const waiting = next()
  appendFileSync(path, record(2, 'two'))
  renameSync(path, `${path}.20260501`)
  writeFileSync(path, record(3, 'three'))
  assert.equal(await waiting, 'two\n')
  assert.equal(await next(), 'three\n')
  await log.return(undefined)
})

test('readLog() ends with the reason when its scope ends', async (t) => {
  const path = logFile(t, record(1, 'one'))
  const controller = new AbortController()
  const followUntil = new Promise(() => {})
  const log = readLog(scopeOf(controller.signal), { path, timestamps: false, followUntil })
  await log.next()
  const waiting = log.next()
  controller.abort(new Error('client left'))
  await assert.rejects(waiting, /client left/)
})

test('readLog() shows the file as it was when it was asked: neither half a line nor what is written meanwhile', async (t) => {
  const half = logFile(t, `${three}2026-05-01T12:00:04.000000001Z stdout F fo`)
  assert.equal(await read(half, { tailLines: 1 }), 'three\n')
  const big = record(5, 'x'.repeat(70_000))
  const path = logFile(t, three + big)
  const chunks: Buffer[] = []
  for await (const chunk of readLog(scopeOf(), { path, timestamps: false, tailLines: 1 })) {
    if (chunks.length === 0) appendFileSync(path, record(6, 'later'))
    chunks.push(chunk)
  }
  assert.equal(Buffer.concat(chunks).toString(), `${'x'.repeat(70_000)}\n`)
})
