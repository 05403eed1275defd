// Pulls from a real registry that asks for a password: secrets, back-off, policies, mirrors.

import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { events, pods, secrets } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { busyboxPod, startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { registryPassword, registryPlace, registrySecret, startRegistry } from '../testing/registry-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const PLACE = registryPlace
const IMAGE = `${PLACE}/private/tool:1`

function pulling(name: string, image: string, policy: string, more: Partial<Pod['spec']> = {}): Pod {
  const base = busyboxPod(name, ['sleep', '1000'], { terminationGracePeriodSeconds: 1, ...more })
  const [main] = base.spec.containers
  return { ...base, spec: { ...base.spec, containers: [{ ...main!, image, imagePullPolicy: policy }] } }
}

const waiting = (pod: Pod | undefined): string | undefined =>
  pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

test('a private image needs its secret: back-off without, a pull with, a mirror by configuration, policies as upstream', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope, { registries: true })
  const registry = await startRegistry(scope, containerd)
  await registry.images('tag', 'docker.io/library/busybox:1.36', IMAGE)
  await registry.move(IMAGE)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const said = (name: string): readonly string[] =>
    client
      .peekAll(events, 'default')
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason, message }) => `${reason} ${message}`)
  const imagePullSecrets = [{ name: 'registry' }]
  await client.create(pods, pulling('private', IMAGE, 'Always', { imagePullSecrets }))
  await harness.podWhen('private', (pod) => waiting(pod) === 'ErrImagePull')
  const held = await harness.podWhen('private', (pod) => waiting(pod) === 'ImagePullBackOff')
  assert.match(
    held?.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '',
    /^Back-off pulling image "127[^"]+": ErrImagePull: /,
  )
  const failed = said('private').find((line) => line.startsWith('Failed Failed to pull image'))
  assert.match(failed ?? '', /private\/tool:1": .*(401 Unauthorized|no basic auth credentials|authorization failed)/)
  assert.ok(said('private').includes(`BackOff Back-off pulling image "${IMAGE}"`))

  await client.create(secrets, registrySecret(registryPassword))
  await harness.podWhen('private', isReady)
  assert.match(
    said('private').find((line) => line.startsWith('Pulled')) ?? '',
    /^Pulled Successfully pulled image "127.0.0.1:5000\/private\/tool:1" in [\d.]+s \([\d.]+s including waiting\)\. Image size: \d+ bytes\.$/,
  )
  assert.equal((await readdir(join(containerd.directory, 'kubelet', 'image_manager', 'pulled'))).length, 1)

  await client.create(pods, pulling('present', IMAGE, 'IfNotPresent', { imagePullSecrets }))
  await harness.podWhen('present', isReady)
  assert.ok(
    said('present').includes(
      `Pulled Container image "${IMAGE}" already present on machine and can be accessed by the pod`,
    ),
  )
  // What a secret brought is no other pod's to use, though it lies here.
  await client.create(pods, pulling('stranger', IMAGE, 'IfNotPresent'))
  await harness.podWhen('stranger', (pod) => waiting(pod) === 'ErrImagePull')
  await client.create(pods, pulling('never', 'images.example/private/other:1', 'Never'))
  await harness.podWhen('never', (pod) => waiting(pod) === 'ErrImageNeverPull')

  // Whoever runs the node says where images of another registry come from.
  const hosts = join(containerd.directory, 'registries', 'images.example')
  await mkdir(hosts, { recursive: true })
  await writeFile(
    join(hosts, 'hosts.toml'),
    `server = "https://images.example"\n[host."http://${PLACE}"]\n  capabilities = ["pull", "resolve"]\n`,
  )
  await client.create(pods, pulling('mirrored', 'images.example/private/tool:1', 'IfNotPresent', { imagePullSecrets }))
  await harness.podWhen('mirrored', isReady)
  assert.ok(said('mirrored').some((line) => line.startsWith('Pulled Successfully pulled image "images.example/')))
})
