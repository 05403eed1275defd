// A node whose own disk has no byte left, while pods come and go: nothing is half done, and all goes on when there is room.

import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { configMaps, events, pods, secrets } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { run, succeeds } from '@aksel/host/command'
import { cgroupFolders } from '@aksel/host/cgroups'
import { mountsBelow } from '@aksel/host/mount-table'
import type { Scope } from '@aksel/base/scope'
import { busyboxPod, startAgent, when } from './testing/agent-harness.ts'
import type { AgentHarness } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import type { ContainerdHarness } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'

const MI = 2 ** 20
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const isGone = (pod: Pod | undefined): boolean => pod === undefined

/** With every kind of volume that is written to the node's disk. */
function writer(name: string): Pod {
  const script = 'trap "exit 0" TERM; while :; do sleep 0.1; done'
  const base = busyboxPod(name, ['sh', '-c', script], { terminationGracePeriodSeconds: 1 })
  const volumes = [
    { name: 'work', emptyDir: {} },
    { name: 'words', configMap: { name: 'words' } },
    { name: 'key', secret: { secretName: 'key' } },
    { name: 'about', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
  ]
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

/** A volume is refreshed when its next attempt is due, which nobody tells: looked at again and again, within a deadline. */
async function changedTo(scope: Scope, path: string, text: string): Promise<void> {
  const untilMs = scope.clock.monotonicMs() + 60_000
  while ((await readFile(path, 'utf8')) !== text) {
    if (scope.clock.monotonicMs() > untilMs) throw new Error(`${path} did not change to "${text}"`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
