// A node whose own disk has no byte left, while pods come and go: nothing is half done, and all goes on when there is room.

import assert from 'node:assert/strict'
import type { StatsFs } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { configMaps, events, pods, secrets } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { run, succeeds } from '@aksel/host/command'
import { cgroupFolders } from '@aksel/host/cgroups'
import { mountsBelow } from '@aksel/host/mount-table'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { busyboxPod, startAgent, when } from './testing/agent-harness.ts'
import type { AgentHarness } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import type { ContainerdHarness } from './testing/containerd-harness.ts'
import { bombArchive, imageBombs } from './testing/image-bombs.ts'
import { registryPassword, registryPlace, registrySecret, startRegistry } from './testing/registry-harness.ts'
import { testScope } from './testing/test-scope.ts'

const MI = 2 ** 20
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const isGone = (pod: Pod | undefined): boolean => pod === undefined

const written = [
  { name: 'work', emptyDir: {} },
  { name: 'words', configMap: { name: 'words' } },
  { name: 'key', secret: { secretName: 'key' } },
  { name: 'about', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
]

/** With every kind of volume that is written to the node's disk. */
function writer(name: string, volumes: NonNullable<Pod['spec']['volumes']> = written): Pod {
  const script = 'trap "exit 0" TERM; while :; do sleep 0.1; done'
  const base = busyboxPod(name, ['sh', '-c', script], { terminationGracePeriodSeconds: 1 })
  const volumeMounts = volumes.map(({ name: volume }) => ({ name: volume, mountPath: `/${volume}` }))
  return { ...base, spec: { ...base.spec, volumes, containers: [{ ...base.spec.containers[0]!, volumeMounts }] } }
}

/** Takes the disk to its last block. */
async function fill(scope: Scope, disk: string): Promise<void> {
  const taken = join(disk, 'taken')
  for (
    let piece = await freeBytes(disk);
    piece >= 4096;
    piece = Math.min(Math.floor(piece / 2), await freeBytes(disk))
  ) {
    const offset = (await stat(taken).catch(() => undefined))?.size ?? 0
    await succeeds(run, scope, ['fallocate', '--offset', String(offset), '--length', String(piece), taken])
  }
}

async function freeBytes(disk: string): Promise<number> {
  const { bavail, bsize } = await statfs(disk)
  return bavail * bsize
}

/** What a node holds for pods. */
async function held({ directory, runtime, cgroupRoot }: ContainerdHarness): Promise<readonly string[]> {
  const names = async (kind: string, path: string): Promise<readonly string[]> =>
    (await readdir(join(directory, path)).catch(() => [])).map((name) => `${kind} ${name}`)
  const all = await Promise.all([
    names('folder', 'kubelet/pods'),
    names('memory', 'kubelet/memory/pods'),
    names('logs', 'pod-logs'),
    names('address', 'addresses/aksel').then((found) => found.filter((line) => /\d$/.test(line))),
    mountsBelow(directory),
    cgroupFolders(cgroupRoot).then((found) => found.filter((path) => /pod[0-9a-f-]{36}/.test(path))),
    runtime.listPodSandboxes().then((found) => found.map(({ id }) => `sandbox ${id}`)),
    runtime.listContainers().then((found) => found.map(({ id }) => `container ${id}`)),
  ])
  return all.flat().sort()
}

const runOf = (pod: Pod | undefined): readonly unknown[] =>
  (pod?.status?.containerStatuses ?? []).map(({ containerID, restartCount }) => [containerID, restartCount])

function toldOf({ client }: AgentHarness, name: string): readonly string[] {
  return client
    .peekAll(events, 'default')
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason, message }) => `${reason} ${message}`)
}

test('a disk without room stops no pod, starts none, lets others go, and is made up for when there is room', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope, { diskBytes: 300 * MI })
  const { directory } = containerd
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  await client.create(configMaps, { metadata: { namespace: 'default', name: 'words' }, data: { word: 'first' } })
  await client.create(secrets, { metadata: { namespace: 'default', name: 'key' }, data: { key: 'czNjcmV0' } })
  await client.create(pods, writer('first'))
  await harness.podWhen('first', isReady)
  await client.delete(pods, { namespace: 'default', name: 'first' })
  await harness.podWhen('first', isGone)
  const empty = await held(containerd)

  const stays = ['stays-1', 'stays-2']
  const goes = ['goes-1', 'goes-2']
  await Promise.all([...stays, ...goes].map((name) => client.create(pods, writer(name))))
  const runs = new Map(
    await Promise.all(stays.map(async (name) => [name, runOf(await harness.podWhen(name, isReady))] as const)),
  )
  await Promise.all(goes.map((name) => harness.podWhen(name, isReady)))

  await fill(scope, directory)
  assert.ok((await freeBytes(directory)) < 4096)
  const late = ['late-1', 'late-2']
  await Promise.all(late.map((name) => client.create(pods, writer(name))))
  await client.update(configMaps, { metadata: { namespace: 'default', name: 'words' }, data: { word: 'second' } })
  for (const name of late) {
    await when(scope, client, events, '', () => toldOf(harness, name).some((line) => /no space left/i.test(line)))
    assert.notEqual(client.peek(pods, `default/${name}`)?.status?.phase, 'Running')
  }
  // What they had may be enough for one that waits.
  await Promise.all(goes.map((name) => client.delete(pods, { namespace: 'default', name })))
  for (const name of goes) await harness.podWhen(name, isGone)
  for (const name of stays) assert.deepEqual(runOf(client.peek(pods, `default/${name}`)), runs.get(name), 'it goes on')

  await rm(join(directory, 'taken'))
  for (const name of late) await harness.podWhen(name, isReady)
  for (const name of stays) {
    const pod = client.peek(pods, `default/${name}`)!
    assert.deepEqual(runOf(pod), runs.get(name), 'it went on')
    const volume = join(directory, 'kubelet/pods', pod.metadata.uid!, 'volumes/kubernetes.io~configmap/words')
    await changedTo(scope, join(volume, 'word'), 'second')
    assert.equal((await readdir(volume)).filter((file) => file.startsWith('..2')).length, 1, 'no version is left over')
    assert.match(await readFile(join(directory, 'kubelet/pods', pod.metadata.uid!, 'etc-hosts'), 'utf8'), /localhost/)
  }
  const all = [...stays, ...late]
  await Promise.all(all.map((name) => client.delete(pods, { namespace: 'default', name })))
  for (const name of all) await harness.podWhen(name, isGone)
  assert.deepEqual(await held(containerd), empty)
})

test('images that unpack to more than the disk holds are refused with an event, and leave it and the host as they were', async (t) => {
  using scope = testScope()
  await using containerd = await startContainerd(scope, { diskBytes: 300 * MI, registries: true })
  const { directory } = containerd
  const outside = await mkdtemp(join(tmpdir(), 'aksel-outside-'))
  try {
    await writeFile(join(outside, 'victim'), 'as it was')
    const host = async (): Promise<readonly unknown[]> =>
      Promise.all(
        ['.', 'victim', `${directory}.img`].map(async (name) => {
          const { size, mode, ctimeMs } = await stat(resolve(outside, name))
          return name.endsWith('.img') ? size : [size, mode, ctimeMs]
        }),
      )
    const untouched = await host()
    const registry = await startRegistry(scope, containerd)
    await using harness = await startAgent(scope, containerd)
    const { client } = harness
    await client.create(secrets, registrySecret(registryPassword))
    await client.create(pods, busyboxPod('stays', ['sleep', '1000'], { terminationGracePeriodSeconds: 1 }))
    const run = runOf(await harness.podWhen('stays', isReady))
    for (const bomb of imageBombs) {
      const { name } = bomb
      const image = `${registryPlace}/bombs/${name}:1`
      const path = join(dirname(directory), `${name}.tar`)
      await writeFile(path, await bombArchive(image, bomb))
      await registry.images('import', '--no-unpack', path)
      await registry.move(image)
      const before = await statfs(directory)
      const base = busyboxPod(name, ['sh'], { imagePullSecrets: [{ name: 'registry' }] })
      const containers = [{ ...base.spec.containers[0]!, image }]
      await client.create(pods, { ...base, spec: { ...base.spec, containers } })
      const held = await harness.podWhen(name, (pod) => /^(ErrImagePull|ImagePullBackOff)$/.test(waiting(pod) ?? ''))
      assert.match(held?.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', bomb.refusal, name)
      const told = toldOf(harness, name).find((line) => line.startsWith(`Failed Failed to pull image "${image}"`))
      // An event has 1,024 characters, of which a long path leaves none.
      assert.match(told ?? '', name === 'depth' ? /failed to get root path/ : bomb.refusal)
      t.diagnostic(told!)
      await client.delete(pods, { namespace: 'default', name }, { gracePeriodSeconds: 0 })
      await harness.podWhen(name, isGone)
      await hasAgain(scope, directory, before)
      // The way of who runs the node: the archive itself.
      if (name !== 'zeros') await assert.rejects(registry.images('import', path), bomb.refusal)
      await hasAgain(scope, directory, before)
    }
    await client.create(pods, writer('plain', []))
    await harness.podWhen('plain', isReady)
    assert.deepEqual(runOf(client.peek(pods, 'default/stays')), run, 'it went on')
    assert.deepEqual(await host(), untouched)
    assert.ok((await stat(`${directory}.img`)).blocks * 512 <= 300 * MI)
  } finally {
    await rm(outside, { recursive: true })
  }
})

/** containerd gives back what a failed pull left when it collects its garbage, which it tells nobody. */
async function hasAgain(scope: Scope, disk: string, before: StatsFs): Promise<void> {
  const untilMs = scope.clock.monotonicMs() + 60_000
  const left = 8 * MI
  while (true) {
    const { bavail, bsize, ffree } = await statfs(disk)
    if (bavail * bsize >= before.bavail * bsize - left && ffree >= before.ffree - 100) return
    if (scope.clock.monotonicMs() > untilMs) assert.fail(`${bavail} blocks and ${ffree} inodes are free`)
    await sleep(scope.clock, 100, scope.signal)
  }
}

const waiting = (pod: Pod | undefined): string | undefined =>
  pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason

/** A volume is refreshed when its next attempt is due, which nobody tells: looked at again and again, within a deadline. */
async function changedTo(scope: Scope, path: string, text: string): Promise<void> {
  const untilMs = scope.clock.monotonicMs() + 60_000
  while ((await readFile(path, 'utf8')) !== text) {
    if (scope.clock.monotonicMs() > untilMs) throw new Error(`${path} did not change to "${text}"`)
    await sleep(scope.clock, 100, scope.signal)
  }
}
