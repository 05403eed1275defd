// Images as volumes on a real containerd: their files are there, cannot be changed, and are given back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, pods } from '@aksel/api/resources'
import type { Pod, Volume } from '@aksel/api/types/core-v1'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import { busyboxPod, startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const shop = 'docker.io/aksel/shop-front:1.0'

function imagePod(name: string, script: string, volumes: readonly Volume[], subPath?: string): Pod {
  const base = busyboxPod(name, ['sh', '-c', script], { restartPolicy: 'Never' })
  const mounts = volumes.map((volume) => ({
    name: volume.name,
    mountPath: `/${volume.name}`,
    ...(subPath === undefined ? {} : { subPath }),
  }))
  return {
    ...base,
    spec: { ...base.spec, volumes, containers: [{ ...base.spec.containers[0]!, volumeMounts: mounts }] },
  }
}

test('images are mounted as volumes, of one layer or of several, are read-only, and leave nothing', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const script = [
    'set -e',
    'grep -q ok /shop/www/healthz',
    'test -x /shop/bin/busybox && test -x /box/bin/busybox',
    '! touch /shop/www/healthz',
    '! touch /box/bin/new',
    'exit 7',
  ].join('\n')
  const volumes = [
    { name: 'shop', image: { reference: shop, pullPolicy: 'IfNotPresent' } },
    { name: 'box', image: { reference: 'busybox:1.36' } },
    // Nobody mounts it, so nobody pulls it.
    { name: 'unused', image: { reference: 'registry.invalid/none:1' } },
  ]
  const pod = imagePod('a', script, volumes.slice(0, 2))
  await client.create(pods, { ...pod, spec: { ...pod.spec, volumes } })
  const ended = await harness.podWhen(
    'a',
    (now) => now?.status?.containerStatuses?.[0]?.state?.terminated !== undefined,
  )
  assert.equal(ended?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 7)

  await client.create(pods, imagePod('b', 'grep -q ok /shop/healthz && exit 8', volumes.slice(0, 1), 'www'))
  const below = await harness.podWhen(
    'b',
    (now) => now?.status?.containerStatuses?.[0]?.state?.terminated !== undefined,
  )
  assert.equal(below?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 8)

  for (const name of ['a', 'b']) {
    await client.delete(pods, { namespace: 'default', name })
    await harness.podWhen(name, (now) => now === undefined)
  }
  assert.deepEqual((await mountsBelow(`${containerd.directory}/kubelet/pods`)).length, 0)
  const ctr = ['ctr', '--address', containerd.socketPath, '--namespace', 'k8s.io', 'snapshots', 'ls']
  assert.doesNotMatch((await run(scope, ctr)).stdout, /aksel-image-volume/)
})

test('an image that does not come, or has no such path, is told on the container that mounts it', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const waiting = (pod: Pod | undefined): string | undefined =>
    pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason
  const absent = { name: 'v', image: { reference: 'localhost:1/none:1', pullPolicy: 'Never' } }
  await client.create(pods, imagePod('never', 'true', [absent]))
  await harness.podWhen('never', (pod) => waiting(pod) === 'ErrImageNeverPull')
  const unreachable = { name: 'v', image: { reference: 'localhost:1/none:1', pullPolicy: 'Always' } }
  await client.create(pods, imagePod('away', 'true', [unreachable]))
  await harness.podWhen('away', (pod) => ['ErrImagePull', 'ImagePullBackOff'].includes(waiting(pod) ?? ''))
  assert.ok(client.peekAll(events, 'default').some(({ message }) => message === 'Pulling image "localhost:1/none:1"'))
  await client.create(pods, imagePod('path', 'true', [{ name: 'v', image: { reference: shop } }], 'no/such/path'))
  await harness.podWhen('path', (pod) => waiting(pod) === 'CreateContainerConfigError')
})
