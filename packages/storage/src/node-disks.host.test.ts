// Disks on real loop devices: data outlives the mount, two nodes never share a disk, and the ledger undoes everything.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CommandError, run, type CommandRunner } from '@aksel/host/command'
import { openFileLedger } from '@aksel/host/file-ledger'
import { mountsBelow } from '@aksel/host/mount-table'
import { loopDevicesBelow, undoAll } from '@aksel/host/undo'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { Ledger } from '@aksel/host/ledger'
import { fileDiskImages } from './disk-images.ts'
import { nodeDisks, type DiskMounter } from './node-disks.ts'

const scope: Scope = {
  clock: systemClock(),
  random: seededRandom(1),
  log: silentLog(),
  signal: new AbortController().signal,
}

interface Host {
  readonly root: string
  readonly ledger: Ledger
  readonly images: ReturnType<typeof fileDiskImages>
  disks(node: string, runner?: CommandRunner): DiskMounter
  target(name: string): Promise<string>
}

/** A scratch folder with one disk `d1`; whatever the body leaves is undone by the ledger, and must then be gone. */
async function withHost(body: (host: Host) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'aksel-disks-'))
  const ledger = await openFileLedger(scope, { directory: join(root, 'ledger') })
  const directory = join(root, 'disks')
  const images = fileDiskImages({ directory })
  await images.create('d1', 64 << 20)
  try {
    await body({
      root,
      ledger,
      images,
      disks: (node, runner = run) => nodeDisks({ directory, stagingDirectory: join(root, node), ledger, run: runner }),
      async target(name) {
        const path = join(root, 'pods', name)
        await mkdir(path, { recursive: true })
        return path
      },
    })
  } finally {
    await undoAll(scope, { ledger })
    const left = [await mountsBelow(root), await loopDevicesBelow(root), ledger.entries()]
    const files = await readdir(directory)
    await ledger[Symbol.asyncDispose]()
    await rm(root, { recursive: true })
    assert.deepEqual(left, [[], [], []])
    assert.deepEqual(
      files.filter((name) => name.endsWith('.attached')),
      [],
    )
  }
}

const volumeHandle = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d1'

function requestOf(targetPath: string, node = 'n1', readOnly = false) {
  return { volumeHandle, fsType: '', readOnly, targetPath, owner: `machine/${node}` }
}

test('what a pod writes is there for the next one, on another node too', () =>
  withHost(async (host) => {
    const one = await host.target('one')
    const disks = host.disks('n1')
    await disks.mount(scope, requestOf(one))
    await disks.mount(scope, requestOf(one))
    await writeFile(join(one, 'order'), '42')
    await disks.unmount(scope, requestOf(one))
    await disks.unmount(scope, requestOf(one))
    assert.deepEqual(
      [await readdir(one), await mountsBelow(host.root), await loopDevicesBelow(host.root)],
      [[], [], []],
    )
    assert.deepEqual(host.ledger.entries(), [])
    const two = await host.target('two')
    await host.disks('n2').mount(scope, requestOf(two, 'n2'))
    assert.equal(await readFile(join(two, 'order'), 'utf8'), '42')
    await host.disks('n2').unmount(scope, requestOf(two, 'n2'))
  }))

test('two pods of a node share a disk, and the first to go leaves it to the other', () =>
  withHost(async (host) => {
    const [one, two] = [await host.target('one'), await host.target('two')]
    const disks = host.disks('n1')
    await Promise.all([disks.mount(scope, requestOf(one)), disks.mount(scope, requestOf(two, 'n1', true))])
    await writeFile(join(one, 'order'), '42')
    assert.equal(await readFile(join(two, 'order'), 'utf8'), '42')
    await assert.rejects(writeFile(join(two, 'order'), '43'), { code: 'EROFS' })
    assert.equal((await loopDevicesBelow(host.root)).length, 1)
    await disks.unmount(scope, requestOf(one))
    assert.equal(await readFile(join(two, 'order'), 'utf8'), '42')
  }))

test('a pod gets the disk itself, another the same one, and what was written is there for the next node', () =>
  withHost(async (host) => {
    const file = async (name: string): Promise<string> => {
      const path = join(await host.target(name), 'device')
      await writeFile(path, '')
      return path
    }
    const [one, two] = [await file('one'), await file('two')]
    const blockOf = (path: string, node = 'n1') => ({ ...requestOf(path, node), block: true })
    const disks = host.disks('n1')
    await disks.mount(scope, blockOf(one))
    await disks.mount(scope, blockOf(one))
    await disks.mount(scope, blockOf(two))
    assert.ok((await stat(one)).isBlockDevice())
    await run(scope, ['dd', `of=${one}`, 'bs=512', 'count=1', 'conv=fsync,sync'], { input: 'raw words' })
    await disks.unmount(scope, blockOf(one))
    assert.equal((await stat(one)).size, 0)
    const { stdout } = await run(scope, ['head', '-c', '9', two])
    assert.equal(stdout, 'raw words')
    await assert.rejects(host.disks('n2').mount(scope, blockOf(one, 'n2')), { holder: 'machine/n1' })
    await disks.unmount(scope, blockOf(two))
    await host.disks('n2').mount(scope, blockOf(one, 'n2'))
    assert.equal((await run(scope, ['head', '-c', '9', one])).stdout, 'raw words')
    await host.disks('n2').unmount(scope, blockOf(one, 'n2'))
  }))

test('a disk that a node has is refused to another and cannot be removed', () =>
  withHost(async (host) => {
    const [one, two] = [await host.target('one'), await host.target('two')]
    await host.disks('n1').mount(scope, requestOf(one))
    await assert.rejects(host.disks('n2').mount(scope, requestOf(two, 'n2')), { holder: 'machine/n1' })
    await assert.rejects(host.images.remove('d1'), { holder: 'machine/n1' })
    await host.disks('n2').unmount(scope, requestOf(two, 'n2'))
    assert.deepEqual(await readdir(two), [])
    await undoAll(scope, { ledger: host.ledger, owner: 'machine/n1' })
    await host.disks('n2').mount(scope, requestOf(two, 'n2'))
    await host.disks('n2').unmount(scope, requestOf(two, 'n2'))
    await host.images.remove('d1')
    await assert.rejects(host.disks('n1').mount(scope, requestOf(one)), /there is no such disk/)
  }))

test('killed after any command and run again, a mount and an unmount end as if nothing had happened', async () => {
  for (let fatal = 1; fatal <= 8; fatal++) {
    await withHost(async (host) => {
      let call = 0
      const dying: CommandRunner = async (...args) => {
        const result = await run(...args)
        call += 1
        if (call === fatal)
          throw new CommandError({ command: 'x', code: undefined, reason: 'was killed', stderr: '', stdout: '' })
        return result
      }
      const one = await host.target('one')
      await host
        .disks('n1', dying)
        .mount(scope, requestOf(one))
        .catch(() => undefined)
      await host.disks('n1').mount(scope, requestOf(one))
      await writeFile(join(one, 'order'), '42')
      await host
        .disks('n1', dying)
        .unmount(scope, requestOf(one))
        .catch(() => undefined)
      await host.disks('n1').unmount(scope, requestOf(one))
      await host.disks('n1').mount(scope, requestOf(one))
      assert.equal(await readFile(join(one, 'order'), 'utf8'), '42')
      await host.disks('n1').unmount(scope, requestOf(one))
      assert.deepEqual(host.ledger.entries(), [])
    })
  }
})

test('a disk with another file system is refused, not formatted', () =>
  withHost(async (host) => {
    const one = await host.target('one')
    await host.disks('n1').mount(scope, { ...requestOf(one), fsType: 'ext3' })
    await host.disks('n1').unmount(scope, requestOf(one))
    await assert.rejects(host.disks('n1').mount(scope, requestOf(one)), /as "ext4", it already contains ext3/)
  }))

test('a disk that grew while it was mounted has its room at once, or where the kernel refuses that, at the next mount', () =>
  withHost(async (host) => {
    const target = await host.target('one')
    const disks = host.disks('n1')
    const own = { volumeHandle, owner: 'machine/n1' }
    await disks.mount(scope, requestOf(target))
    await writeFile(join(target, 'order'), '42')
    const roomMiB = async (): Promise<number> => {
      const { bsize, blocks } = await statfs(target)
      return Math.round((bsize * blocks) / 2 ** 20)
    }
    const before = await roomMiB()
    assert.ok(before <= 64, `${before} MiB before`)
    await host.images.grow('d1', 256 << 20)
    await host.images.grow('d1', 128 << 20)
    if ((await disks.grow(scope, own)) === 'at-next-mount') {
      assert.equal(await roomMiB(), before)
      await disks.unmount(scope, { ...own, targetPath: target })
      await disks.mount(scope, requestOf(target))
    }
    const after = await roomMiB()
    assert.ok(after > 200, `${after} MiB after`)
    assert.equal(await disks.grow(scope, own), 'grown')
    assert.equal(await readFile(join(target, 'order'), 'utf8'), '42')
    await assert.rejects(host.disks('n2').grow(scope, { volumeHandle, owner: 'machine/n2' }), {
      message: 'Cannot grow disk "d1" on machine/n2: it is not attached there',
    })
    await disks.unmount(scope, { ...own, targetPath: target })
  }))
