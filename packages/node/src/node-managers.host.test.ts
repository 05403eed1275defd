// What pods have together and alone on a real node: classes of service, exclusive CPUs, a bound on processes.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { cgroupTrees } from '@aksel/host/cgroup-world'
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

test('a Guaranteed pod has its CPU alone, others share the rest, and no pod has more processes than it may', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd, {
    kubelet: { cpuManagerPolicy: 'static', memoryManagerPolicy: 'Static', podPidsLimit: 20 },
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

  const read = async (controller: string, folder: string, file: string): Promise<string> => {
    const tree = (await cgroupTrees()).find(({ controllers }) => controllers.includes(controller))!
    return (await readFile(join(tree.mountPoint, containerd.cgroupRoot, folder, file), 'utf8')).trim()
  }
  assert.equal(await read('pids', `kubepods/besteffort/pod${sharing?.metadata.uid}`, 'pids.max'), '20')
  const version = (await cgroupTrees()).find(({ controllers }) => controllers.includes('cpu'))!.version
  if (version === 1) {
    assert.equal(await read('cpu', 'kubepods', 'cpu.shares'), '1945')
    assert.equal(await read('cpu', 'kubepods/besteffort', 'cpu.shares'), '2')
    assert.equal(await read('cpuset', `kubepods/pod${alone?.metadata.uid}/${idOf(alone)}`, 'cpuset.mems'), '0')
  }
  await client.delete(pods, { namespace: 'default', name: 'alone' })
  await harness.podWhen('alone', (pod) => pod === undefined)
  await client.create(pods, asking('next', own))
  assert.equal(await allowed(await harness.podWhen('next', isReady)), '1')
})
