// Static pods on a real containerd: they follow their manifests, and neither the API nor the agent's restart touches them.

import assert from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const idOf = (pod: Pod | undefined): string | undefined => pod?.status?.containerStatuses?.[0]?.containerID

test('a static pod follows its manifest, is shown in the API, and outlives its mirror and the agent', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  const folder = join(containerd.directory, 'manifests')
  await mkdir(folder)
  const write = async (seconds: number): Promise<void> => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'busybox:1.36', command: ['sleep', String(seconds)] }],
      },
    }
    await writeFile(join(folder, '.next'), JSON.stringify(manifest))
    await rename(join(folder, '.next'), join(folder, 'web.json'))
  }
  await write(1001)
  const options = { kubelet: { staticPodPath: folder } }
  let id: string | undefined
  let client
  {
    await using harness = await startAgent(scope, containerd, options)
    client = harness.client
    const first = (await harness.podWhen('web-n1', isReady))!
    id = idOf(first)
    assert.equal(first.metadata.annotations?.['kubernetes.io/config.source'], 'file')
    assert.ok(first.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    await client.delete(pods, { namespace: 'default', name: 'web-n1' })
    const again = await harness.podWhen('web-n1', (pod) => isReady(pod) && pod?.metadata.uid !== first.metadata.uid)
    assert.equal(idOf(again), id, 'deleting the picture touches no container')
  }
  await using harness = await startAgent(scope, containerd, { ...options, client })
  await harness.agent.cleaned
  const found = await harness.podWhen('web-n1', isReady)
  assert.deepEqual([idOf(found), found?.status?.containerStatuses?.[0]?.restartCount], [id, 0])
  await write(1002)
  const changed = await harness.podWhen('web-n1', (pod) => isReady(pod) && idOf(pod) !== id)
  assert.deepEqual(changed?.spec.containers[0]?.command, ['sleep', '1002'])
  assert.equal((await containerd.runtime.listPodSandboxes()).length, 1)
  await rm(join(folder, 'web.json'))
  await harness.podWhen('web-n1', (pod) => pod === undefined)
  assert.deepEqual(await containerd.runtime.listPodSandboxes(), [])
})
