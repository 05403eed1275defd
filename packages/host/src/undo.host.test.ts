// Makes one of each kind on the real host, undoes it, and looks whether the host is as before.

import assert from 'node:assert/strict'
import { access, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { cgroupTrees } from './cgroup-world.ts'
import { cgroupFolders, makeCgroup, processesIn } from './cgroups.ts'
import { run } from './command.ts'
import { openFileLedger } from './file-ledger.ts'
import type { Ledger } from './ledger.ts'
import { mountsBelow } from './mount-table.ts'
import { startProcess } from './process-start.ts'
import { isRunning } from './process-table.ts'
import { holdSysctl, sysctlPath } from './sysctl.ts'
import { loopDevicesBelow, undoAll } from './undo.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

async function withLedger(work: (ledger: Ledger, directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-undo-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  try {
    await work(ledger, directory)
  } finally {
    await undoAll(scope, { ledger })
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

test('a started process stands in the ledger, in its cgroup and in its log, and is undone', () =>
  withLedger(async (ledger, directory) => {
    const path = `/aksel-undo-${process.pid}/m1`
    await makeCgroup({ ledger, owner: 'm', path, limits: { cpus: 0.5, memoryBytes: 64 << 20, pidsMax: 50 } })
    await makeCgroup({ ledger, owner: 'm', path: `${path}/system` })
    const trees = await cgroupTrees()
    const started = await startProcess({
      ledger,
      owner: 'm',
      argv: ['/bin/sh', '-c', 'echo started; sleep 600 & exec sleep 601'],
      cgroup: `${path}/system`,
      logFile: join(directory, 'log'),
    })
    assert.deepEqual(ledger.entries()[0]?.object, {
      kind: 'process',
      pid: started.pid,
      startTicks: started.startTicks,
    })
    for (const tree of trees) {
      assert.ok((await processesIn(join(tree.mountPoint, path, 'system'))).includes(started.pid), tree.mountPoint)
    }
    const memory = trees.find((tree) => tree.controllers.includes('memory'))!
    const file = memory.version === 2 ? 'memory.max' : 'memory.limit_in_bytes'
    assert.equal((await readFile(join(memory.mountPoint, path, file), 'utf8')).trim(), String(64 << 20))

    await undoAll(scope, { ledger })
    await started.exited
    assert.equal(await isRunning(started), false)
    assert.deepEqual(await cgroupFolders(path), [])
    assert.deepEqual(ledger.entries(), [])
    await ledger.record('m', { kind: 'cgroup', path: `/aksel-undo-${process.pid}` })
  }))

test('a process of the same number but another start is left alone', () =>
  withLedger(async (ledger) => {
    await ledger.record('m', { kind: 'process', pid: process.pid, startTicks: '1' })
    await undoAll(scope, { ledger })
    assert.deepEqual(ledger.entries(), [])
  }))

test('mounts, loop devices and files are undone newest first, deepest first', () =>
  withLedger(async (ledger, directory) => {
    const root = join(directory, 'tree with blank')
    await ledger.record('d', { kind: 'path', path: root })
    await mkdir(root)
    const image = join(root, 'disk.img')
    await writeFile(image, '')
    await truncate(image, 8 << 20)
    await ledger.record('d', { kind: 'loop-devices', path: root })
    const device = (await run(scope, ['losetup', '--find', '--show', image])).stdout.trim()
    await run(scope, ['mkfs.ext4', '-q', device])
    await ledger.record('d', { kind: 'mounts', path: root })
    const mountPoint = join(root, 'mnt')
    await mkdir(mountPoint)
    await run(scope, ['mount', device, mountPoint])
    await mkdir(join(mountPoint, 'inner'))
    await run(scope, ['mount', '-t', 'tmpfs', 'none', join(mountPoint, 'inner')])
    assert.equal((await mountsBelow(root)).length, 2)
    assert.deepEqual(await loopDevicesBelow(root), [device])

    await undoAll(scope, { ledger, owner: 'd' })
    assert.deepEqual(await mountsBelow(root), [])
    assert.deepEqual(await loopDevicesBelow(root), [])
    assert.equal(await isThere(root), false)
  }))

test('a folder that others may use as well goes only when it is empty', () =>
  withLedger(async (ledger, directory) => {
    const [empty, used] = [join(directory, 'empty'), join(directory, 'used')]
    for (const path of [empty, used, join(directory, 'gone')]) await ledger.record('d', { kind: 'empty-folder', path })
    await mkdir(empty)
    await mkdir(used)
    await writeFile(join(used, 'file'), 'of somebody else')
    await undoAll(scope, { ledger })
    assert.deepEqual([await isThere(empty), await isThere(join(used, 'file'))], [false, true])
    assert.deepEqual(ledger.entries(), [])
  }))

test('a path with a mount below it is not removed, and the rest is undone all the same', () =>
  withLedger(async (ledger, directory) => {
    const root = join(directory, 'kept')
    await mkdir(join(root, 'mnt'), { recursive: true })
    await writeFile(join(root, 'file'), 'data')
    await run(scope, ['mount', '-t', 'tmpfs', 'none', join(root, 'mnt')])
    await ledger.record('other', { kind: 'nft-table', family: 'ip', name: 'aksel-undo-absent' })
    const entry = await ledger.record('d', { kind: 'path', path: root })
    await assert.rejects(undoAll(scope, { ledger }), /mounts are still below/)
    assert.deepEqual(ledger.entries(), [entry])
    assert.equal(await isThere(join(root, 'file')), true)
    await run(scope, ['umount', join(root, 'mnt')])
  }))

test('a loop device that a program left on a disk of ours goes before the disk', () =>
  withLedger(async (ledger, directory) => {
    const [image, disk] = [join(directory, 'disk.img'), join(directory, 'disk')]
    await mkdir(disk)
    await ledger.record('d', { kind: 'loop-devices', path: image })
    await ledger.record('d', { kind: 'mounts', path: disk })
    await run(scope, ['mke2fs', '-q', '-F', '-t', 'ext4', image, '16m'])
    await run(scope, ['mount', '-o', 'loop', image, disk])
    await writeFile(join(disk, 'theirs.img'), Buffer.alloc(1 << 20))
    const { stdout: theirs } = await run(scope, ['losetup', '--find', '--show', join(disk, 'theirs.img')])
    await undoAll(scope, { ledger })
    assert.deepEqual(await loopDevicesBelow(directory), [])
    const { stdout: all } = await run(scope, ['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'])
    assert.doesNotMatch(all, new RegExp(`${theirs.trim()} .*theirs`))
  }))

test('namespaces, links, tables, routes and sysctls are undone, also those that were never made', () =>
  withLedger(async (ledger) => {
    const name = `akt-${process.pid}`
    const sysctl = 'net.ipv4.neigh.default.gc_interval'
    const before = (await readFile(`/proc/sys/${sysctl.replaceAll('.', '/')}`, 'utf8')).trim()
    const make = async (): Promise<void> => {
      await ledger.record('n', { kind: 'network-namespace', name })
      await ledger.record('n', { kind: 'link', name })
      await ledger.record('n', { kind: 'route', destination: '100.127.255.0/30' })
      await ledger.record('n', { kind: 'nft-table', family: 'inet', name })
      await ledger.record('n', { kind: 'sysctl', name: sysctl, before })
    }
    await make()
    await undoAll(scope, { ledger })

    await make()
    await run(scope, ['ip', 'netns', 'add', name])
    await run(scope, ['ip', 'link', 'add', name, 'type', 'bridge'])
    await run(scope, ['ip', 'link', 'set', name, 'up'])
    await run(scope, ['ip', 'route', 'add', '100.127.255.0/30', 'dev', name])
    await run(scope, ['nft', 'add', 'table', 'inet', name])
    await writeFile(`/proc/sys/${sysctl.replaceAll('.', '/')}`, String(Number(before) + 1))
    await undoAll(scope, { ledger })
    assert.equal(await isThere(`/run/netns/${name}`), false)
    assert.equal(await isThere(`/sys/class/net/${name}`), false)
    assert.doesNotMatch((await run(scope, ['nft', 'list', 'tables'])).stdout, new RegExp(name))
    assert.equal((await readFile(`/proc/sys/${sysctl.replaceAll('.', '/')}`, 'utf8')).trim(), before)
  }))

test('a setting that two data folders need is set back by the last of them', () =>
  withLedger((first) =>
    withLedger(async (second) => {
      const name = 'net.ipv4.neigh.default.gc_stale_time'
      const read = async (): Promise<string> => (await readFile(sysctlPath(name), 'utf8')).trim()
      const before = await read()
      const value = String(Number(before) + 7)
      const hold = (ledger: Ledger, holder: string): Promise<void> =>
        holdSysctl({ ledger, owner: 'f', name, value, holder })
      await hold(first, 'one')
      await hold(second, 'two')
      await hold(second, 'two')
      await undoAll(scope, { ledger: first })
      assert.equal(await read(), value)
      await undoAll(scope, { ledger: second })
      assert.equal(await read(), before)
    }),
  ))

test('what a killed containerd left in shared folders goes, and nothing of another does', () =>
  withLedger(async (ledger, directory) => {
    const sockets = '/run/containerd/s'
    const name = `${process.pid}`.padStart(64, 'a')
    await mkdir(sockets, { recursive: true })
    await writeFile(join(sockets, name), '')
    await writeFile(join(directory, 'kept'), '')
    const bundles = join(directory, 'run', 'io.containerd.runtime.v2.task', 'k8s.io')
    for (const [id, address] of [
      ['one', `unix://${sockets}/${name}`],
      ['other', `unix://${directory}/kept`],
    ] as const) {
      await mkdir(join(bundles, id), { recursive: true })
      await writeFile(join(bundles, id, 'address'), address)
    }
    await mkdir(join(bundles, 'without'))
    const results = '/var/lib/cni/results'
    await mkdir(results, { recursive: true })
    for (const [id, state] of [
      ['ours', `${directory}/run`],
      ['theirs', `${directory}/running`],
    ] as const) {
      const result = { interfaces: [{ name: 'veth1' }, { name: 'eth0', sandbox: `${state}/netns/cni-1` }] }
      await writeFile(join(results, `${name}-${id}`), JSON.stringify({ kind: 'cniCacheV1', result }))
    }
    await ledger.record('m', { kind: 'containerd-files', path: join(directory, 'run') })
    await ledger.record('m', { kind: 'containerd-files', path: join(directory, 'never-made') })
    await undoAll(scope, { ledger })
    assert.equal(await isThere(join(sockets, name)), false)
    assert.equal(await isThere(join(directory, 'kept')), true)
    assert.equal(await isThere(join(results, `${name}-ours`)), false)
    assert.equal(await isThere(join(results, `${name}-theirs`)), true)
    await rm(join(results, `${name}-theirs`))
  }))

test('a failing command is named with its exit code and its words', async () => {
  await assert.rejects(run(scope, ['sh', '-c', 'echo no such luck >&2; exit 3']), {
    code: 3,
    message: 'Command "sh -c echo no such luck >&2; exit 3" failed with exit code 3: no such luck',
  })
  await assert.rejects(run(scope, ['aksel-no-such-program']), /did not start: the program is not installed/)
  assert.equal((await run(scope, ['cat'], { input: 'through' })).stdout, 'through')
})

test('a process that is killed at once, before it has read its start signal, harms nobody', () =>
  withLedger(async (ledger) => {
    for (let n = 0; n < 20; n += 1) {
      const started = await startProcess({ ledger, owner: 'm', argv: ['sleep', '600'] })
      process.kill(started.pid, 'SIGKILL')
      assert.equal((await started.exited).signal, 'SIGKILL')
    }
  }))
