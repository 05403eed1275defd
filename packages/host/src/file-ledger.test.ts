// The ledger survives crashes: what was acknowledged is there, what was torn is not.

import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { openFileLedger, parseLedger } from './file-ledger.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

async function withFolder(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-ledger-'))
  try {
    await work(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('entries survive a reopening, struck ones do not, and ids are never used again', () =>
  withFolder(async (directory) => {
    const first = await openFileLedger(scope, { directory })
    const a = await first.record('machine/a', { kind: 'link', name: 'a' })
    const b = await first.record('machine/b', { kind: 'link', name: 'b' })
    await first.strike(a)
    await first[Symbol.asyncDispose]()

    const second = await openFileLedger(scope, { directory })
    assert.deepEqual(second.entries(), [b])
    const c = await second.record('machine/b', { kind: 'path', path: '/x/y' })
    assert.deepEqual(second.entries('machine/b'), [c, b], 'newest first')
    assert.ok(c.id > b.id)
    await second[Symbol.asyncDispose]()
  }))

test('records made side by side are all on disk when they are acknowledged', () =>
  withFolder(async (directory) => {
    const ledger = await openFileLedger(scope, { directory })
    await Promise.all(Array.from({ length: 200 }, (_, n) => ledger.record('o', { kind: 'link', name: `l${n}` })))
    const { entries, torn } = parseLedger(await readFile(join(directory, 'ledger.jsonl'), 'utf8'))
    assert.equal(entries.size, 200)
    assert.equal(torn, false)
    await ledger[Symbol.asyncDispose]()
    await assert.rejects(ledger.record('o', { kind: 'link', name: 'late' }), /closed/)
  }))

test('a torn last line is dropped and the next record stands on a line of its own', () =>
  withFolder(async (directory) => {
    await writeFile(join(directory, 'ledger.jsonl'), '{"id":1,"owner":"o","object":{"kind":"link","name":"a"}}\n')
    await appendFile(join(directory, 'ledger.jsonl'), '{"id":2,"owner":"o","obj')
    const ledger = await openFileLedger(scope, { directory })
    await ledger.record('o', { kind: 'link', name: 'b' })
    await ledger[Symbol.asyncDispose]()
    const { entries } = parseLedger(await readFile(join(directory, 'ledger.jsonl'), 'utf8'))
    assert.deepEqual([...entries.keys()], [1, 2])
  }))

test('a damaged line in the middle is refused, not skipped', () => {
  assert.throws(() => parseLedger('{"id":1,\n{"strike":1}\n'), /line 1 is damaged/)
})

test('a ledger is open in one process at a time, and the lock of a dead one is taken over', () =>
  withFolder(async (directory) => {
    const ledger = await openFileLedger(scope, { directory })
    await assert.rejects(openFileLedger(scope, { directory }), /has it open/)
    await ledger[Symbol.asyncDispose]()
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: process.pid, startTicks: '1' }))
    const again = await openFileLedger(scope, { directory })
    await again[Symbol.asyncDispose]()
  }))
