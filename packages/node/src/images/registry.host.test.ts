// Pulls from a real registry that asks for a password: secrets, back-off, policies, mirrors.

import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { events, pods, secrets } from '@aksel/api/resources'
import type { Pod, Secret } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { startProcess } from '@aksel/host/process-start'
import { busyboxPod, startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import type { ContainerdHarness } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const PLACE = '127.0.0.1:5000'
const IMAGE = `${PLACE}/private/tool:1`
const USER = 'puller'
const PASSWORD = 's3cret'
/** bcrypt of the password, at its cheapest. */
const HASH = '$2y$04$EANET/.JdWwrv.dQx9t4W.YTY81uu7G4TdyJRSi8rgEjJY8WZO8G2'
const LISTEN_MS = 20_000

/** Debian's docker-registry in the machine's network, holding one image that only the user with the password sees. */
async function startRegistry(scope: Scope, containerd: ContainerdHarness): Promise<void> {
  const { directory, ledger, networkNamespace, cgroupRoot, socketPath } = containerd
  const root = join(directory, 'registry')
  await mkdir(root)
  await writeFile(join(root, 'htpasswd'), `${USER}:${HASH}\n`)
  await writeFile(
    join(root, 'config.yml'),
    [
      'version: 0.1',
      'log: {level: error}',
      `storage: {filesystem: {rootdirectory: ${join(root, 'data')}}}`,
      `http: {addr: '${PLACE}'}`,
      `auth: {htpasswd: {realm: test, path: ${join(root, 'htpasswd')}}}`,
      '',
    ].join('\n'),
  )
  const inside = ['nsenter', `--net=/run/netns/${networkNamespace}`]
  await startProcess({
    ledger,
    owner: 'test',
    argv: [...inside, 'docker-registry', 'serve', join(root, 'config.yml')],
    cgroup: `${cgroupRoot}/system`,
    logFile: join(directory, 'registry.log'),
  })
  const ctr = [...inside, 'ctr', '--address', socketPath, '--namespace', 'k8s.io', 'images']
  await run(scope, [...ctr, 'tag', 'docker.io/library/busybox:1.36', IMAGE])
  const until = scope.clock.monotonicMs() + LISTEN_MS
  while (true) {
    try {
      await run(scope, [...ctr, 'push', '--plain-http', '--user', `${USER}:${PASSWORD}`, IMAGE])
      break
    } catch (error) {
      if (scope.clock.monotonicMs() > until) throw error
      await sleep(scope.clock, 100, scope.signal)
    }
  }
  await run(scope, [...ctr, 'remove', '--sync', IMAGE])
}

const secret = (password: string): Secret => ({
  metadata: { namespace: 'default', name: 'registry' },
  type: 'kubernetes.io/dockerconfigjson',
  data: {
    '.dockerconfigjson': Buffer.from(
      JSON.stringify({
        auths: { [PLACE]: { username: USER, password }, 'images.example': { username: USER, password } },
      }),
    ).toString('base64'),
  },
})

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
  await startRegistry(scope, containerd)
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

  await client.create(secrets, secret(PASSWORD))
  await harness.podWhen('private', isReady)
  assert.match(
    said('private').find((line) => line.startsWith('Pulled')) ?? '',
    /^Pulled Successfully pulled image "127.0.0.1:5000\/private\/tool:1" in [\d.]+s \([\d.]+s including waiting\)\. Image size: \d+ bytes\.$/,
  )
  assert.equal((await readdir(join(containerd.directory, 'kubelet', 'image_manager', 'pulled'))).length, 1)

  await client.create(pods, pulling('present', IMAGE, 'IfNotPresent'))
  await harness.podWhen('present', isReady)
  assert.ok(said('present').includes(`Pulled Container image "${IMAGE}" already present on machine`))
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
