// What pods have together and alone on a real node: classes of service, exclusive CPUs, a bound on processes.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { cgroupTrees } from '@aksel/host/cgroup-world'
import { FakeClient } from '@aksel/testing/fake-client'
import { busyboxPod, startAgent } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const idOf = (pod: Pod | undefined): string => pod?.status?.containerStatuses?.[0]?.containerID?.slice(13) ?? ''

function asking(
  name: string,
  amounts: Readonly<Record<string, string>>,
  command: readonly string[] = ['sleep', '1000'],
): Pod {
  const base = busyboxPod(name, command, { terminationGracePeriodSeconds: 1 })
  const [main] = base.spec.containers
  return {
    ...base,
    spec: { ...base.spec, containers: [{ ...main!, resources: { requests: amounts, limits: amounts } }] },
  }
}

/** A folder of the machine's cgroup, in the tree of a controller. */
async function readCgroup(cgroupRoot: string, controller: string, path: string): Promise<string> {
  const tree = (await cgroupTrees()).find(({ controllers }) => controllers.includes(controller))!
  return (await readFile(join(tree.mountPoint, cgroupRoot, path), 'utf8')).trim()
}

test('a Guaranteed pod has its CPU alone, others share the rest, and no pod has more processes than it may', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd, {
    kubelet: { cpuManagerPolicy: 'static', podPidsLimit: 20 },
  })
  const { client } = harness
  const allowed = async (pod: Pod | undefined): Promise<string> => {
    const command = ['sh', '-c', 'grep Cpus_allowed_list /proc/self/status']
    const { stdout } = await containerd.runtime.execSync(idOf(pod), command, 5)
    return Buffer.from(stdout).toString().trim().split(/\s+/)[1]!
  }
  await client.create(pods, busyboxPod('sharing', ['sleep', '1000']))
  const sharing = await harness.podWhen('sharing', isReady)
  assert.equal(await allowed(sharing), '0-1')
  const own = { cpu: '1', memory: '64Mi' }
  await client.create(pods, asking('alone', own))
  const alone = await harness.podWhen('alone', isReady)
  assert.deepEqual([await allowed(alone), await allowed(sharing)], ['1', '0'])
  await client.create(pods, asking('second', { cpu: '1', memory: '64Mi' }))
  const refused = await harness.podWhen('second', (pod) => pod?.status?.phase === 'Failed')
  // 100m of the two CPUs are the machine's own, so a second whole one does not even fit.
  assert.equal(refused?.status?.reason, 'OutOfcpu')
  const forks = ['sh', '-c', 'i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); done; sleep 1000']
  await client.create(pods, asking('forking', {}, forks))
  const forking = await harness.podWhen(
    'forking',
    (pod) =>
      (pod?.status?.containerStatuses?.[0]?.lastState?.terminated ??
        pod?.status?.containerStatuses?.[0]?.state?.terminated) !== undefined,
  )
  const [status] = forking?.status?.containerStatuses ?? []
  assert.notEqual((status?.state?.terminated ?? status?.lastState?.terminated)?.exitCode, 0, 'sh cannot fork')

  const read = (controller: string, folder: string, file: string): Promise<string> =>
    readCgroup(containerd.cgroupRoot, controller, `${folder}/${file}`)
  assert.equal(await read('pids', `kubepods/besteffort/pod${sharing?.metadata.uid}`, 'pids.max'), '20')
  const version = (await cgroupTrees()).find(({ controllers }) => controllers.includes('cpu'))!.version
  if (version === 1) {
    assert.equal(await read('cpu', 'kubepods', 'cpu.shares'), '1945')
    assert.equal(await read('cpu', 'kubepods/besteffort', 'cpu.shares'), '2')
  }
  await client.delete(pods, { namespace: 'default', name: 'alone' })
  await harness.podWhen('alone', (pod) => pod === undefined)
  await client.create(pods, asking('next', own))
  assert.equal(await allowed(await harness.podWhen('next', isReady)), '1')
})

test('policy Static of the memory manager names memory nodes to the runtime, None does not, and who finds too little is refused', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  /** What the runtime made of the request: runc's own configuration of the container. */
  const cpuOf = async (pod: Pod | undefined): Promise<Readonly<Record<string, unknown>>> => {
    const path = `run/io.containerd.runtime.v2.task/k8s.io/${idOf(pod)}/config.json`
    const config = JSON.parse(await readFile(join(containerd.directory, path), 'utf8')) as {
      readonly linux: { readonly resources: { readonly cpu: Readonly<Record<string, unknown>> } }
    }
    return config.linux.resources.cpu
  }
  const own = { cpu: '100m', memory: '1Gi' }
  {
    await using harness = await startAgent(scope, containerd, { kubelet: { memoryManagerPolicy: 'None' } })
    await harness.client.create(pods, asking('unpinned', own))
    assert.equal('mems' in (await cpuOf(await harness.podWhen('unpinned', isReady))), false)
    await harness.client.delete(pods, { namespace: 'default', name: 'unpinned' })
    await harness.podWhen('unpinned', (pod) => pod === undefined)
  }
  {
    // As this host's kernel says.
    await using harness = await startAgent(scope, containerd, { kubelet: { memoryManagerPolicy: 'Static' } })
    await harness.client.create(pods, asking('pinned', own))
    await harness.client.create(pods, busyboxPod('shared', ['sleep', '1000'], { terminationGracePeriodSeconds: 1 }))
    const pinned = await harness.podWhen('pinned', isReady)
    const mems = (await cpuOf(pinned))['mems']
    assert.match(String(mems), /^\d+$/)
    const { version } = (await cgroupTrees()).find(({ controllers }) => controllers.includes('cpuset'))!
    const file = version === 2 ? 'cpuset.mems.effective' : 'cpuset.mems'
    const folder = `kubepods/pod${pinned?.metadata.uid}/${idOf(pinned)}`
    assert.equal(await readCgroup(containerd.cgroupRoot, 'cpuset', `${folder}/${file}`), mems)
    assert.equal('mems' in (await cpuOf(await harness.podWhen('shared', isReady))), false, 'it is not Guaranteed')
  }
  // The same node on a host of two: nine of sixteen GiB need both nodes, and one serves a container alone.
  const memoryNodes = [0, 1].map((id) => ({ id, totalBytes: 64 * 2 ** 30 }))
  await using harness = await startAgent(scope, containerd, {
    client: new FakeClient({ clock: scope.clock, random: scope.random }),
    kubelet: { memoryManagerPolicy: 'Static' },
    memoryBytes: 16 * 2 ** 30,
    memoryNodes,
  })
  await harness.client.create(pods, asking('first', own))
  assert.equal((await cpuOf(await harness.podWhen('first', isReady)))['mems'], '0')
  await harness.client.create(pods, asking('wide', { cpu: '100m', memory: '9Gi' }))
  const refused = await harness.podWhen('wide', (pod) => pod?.status?.phase === 'Failed')
  const { reason, message } = refused?.status ?? {}
  assert.deepEqual(
    [reason, message],
    [
      'UnexpectedAdmissionError',
      'Pod was rejected: Allocate failed due to [memorymanager] failed to get the default NUMA affinity, no NUMA nodes with enough memory is available, which is unexpected',
    ],
  )
})
