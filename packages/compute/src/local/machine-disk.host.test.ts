// A machine's own disk on this host: made once, bounded, filled without taking the host's room, mended after a cut, taken back.

import assert from 'node:assert/strict'
import { access, mkdir, mkdtemp, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sleep, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { openFileLedger } from '@aksel/host/file-ledger'
import { mountsBelow } from '@aksel/host/mount-table'
import { loopDevicesBelow, undoAll } from '@aksel/host/undo'
import { mountDisk, removeDisk } from './machine-disk.ts'
import { emptyDisk, fillDisk } from './machine-faults.ts'
import { machinePaths } from './machine-files.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

const MI = 2 ** 20
/** What the host gave the file. */
const takenBytes = async (path: string): Promise<number> => (await stat(path)).blocks * 512
const freeBytes = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** The kernel gives blocks back after the commit, and tells nobody: looked at again and again, within a deadline. */
async function givenBack(image: string, disk: string, bytes: number): Promise<void> {
  const untilMs = scope.clock.monotonicMs() + 30_000
  while ((await takenBytes(image)) >= bytes) {
    if (scope.clock.monotonicMs() > untilMs) assert.fail(`${image} still takes ${await takenBytes(image)} bytes`)
    await run(scope, ['sync', '--file-system', disk])
    await sleep(scope.clock, 20, scope.signal)
  }
}

test('a machine’s disk is as large as it says, is filled without the host’s room, and is undone from the ledger', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-disk-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  const paths = machinePaths(directory, '/none', { key: 'm', hasDisk: true })
  const image = join(paths.root, 'os-disk.img')
  const request = { ledger, owner: 'machine/m', place: paths, sizeBytes: 8192 * MI }
  try {
    await mkdir(paths.root)
    await ledger.record('machine/m', { kind: 'path', path: paths.root })
    // What a crash in the middle of formatting left is begun again.
    await writeFile(`${image}.new`, 'half')
    assert.equal(await mountDisk(scope, request), true)
    assert.equal(await mountDisk(scope, request), false, 'once')
    assert.equal((await loopDevicesBelow(image)).length, 1)
    const empty = await freeBytes(paths.disk)
    assert.ok(empty > 7500 * MI && empty < 8192 * MI, String(empty))
    assert.ok((await takenBytes(image)) < 16 * MI, 'nothing is taken of the host before it is written')

    await writeFile(join(paths.disk, 'kept'), 'kept')
    await fillDisk(scope, paths, { leaveBytes: 50 * MI })
    assert.ok((await freeBytes(paths.disk)) <= 50 * MI)
    await fillDisk(scope, paths, { leaveBytes: 0 })
    await assert.rejects(writeFile(join(paths.disk, 'more'), Buffer.alloc(MI)), /ENOSPC/)
    assert.ok((await takenBytes(image)) < 32 * MI, 'a machine that is full has not filled its host')
    await emptyDisk(paths)
    await emptyDisk(paths)
    await writeFile(join(paths.disk, 'large'), Buffer.alloc(64 * MI, 1))
    await run(scope, ['sync', '--file-system', paths.disk])
    assert.ok((await takenBytes(image)) > 64 * MI)
    await rm(join(paths.disk, 'large'))
    await givenBack(image, paths.disk, 48 * MI)

    // Mounted no more, and its device lost: what was on it is there again.
    await run(scope, ['umount', paths.disk])
    for (const device of await loopDevicesBelow(image)) await run(scope, ['losetup', '--detach', device])
    assert.equal(await mountDisk(scope, request), true)
    assert.equal(await readFile(join(paths.disk, 'kept'), 'utf8'), 'kept')
    assert.equal(ledger.entries().length, 3, 'path, device and mounts, once each')

    await run(scope, ['umount', paths.disk])
    for (const device of await loopDevicesBelow(image)) await run(scope, ['losetup', '--detach', device])
    await removeDisk(paths)
    assert.equal(await mountDisk(scope, request), true)
    await assert.rejects(access(join(paths.disk, 'kept')), /ENOENT/)
  } finally {
    await undoAll(scope, { ledger })
    await ledger[Symbol.asyncDispose]()
    assert.deepEqual(await mountsBelow(directory), [])
    assert.deepEqual(await loopDevicesBelow(directory), [])
    await assert.rejects(access(paths.root), /ENOENT/)
    await rm(directory, { recursive: true })
  }
})
