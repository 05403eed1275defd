// Pods on a real containerd: they run, restart, end and leave nothing, and an agent that restarts takes them up.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, events, nodes, pods, secrets } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { busyboxPod, startAgent } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'

const sleepForever = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done']
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

test('the node registers, and a pod runs, is reported, and is deleted without a trace', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const node = client.peek(nodes, 'n1')!
  assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], 'n1')
  assert.equal(node.status?.nodeInfo?.kubeletVersion, 'v1.35.7')
  assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')

  await client.create(pods, busyboxPod('a', sleepForever))
  const running = (await harness.podWhen('a', isReady))!
  assert.equal(running.status?.phase, 'Running')
  assert.match(running.status?.podIP ?? '', /^10\.99\.0\./)
  assert.match(running.status?.containerStatuses?.[0]?.containerID ?? '', /^containerd:\/\/[0-9a-f]{64}$/)
  const said = client.peekAll(events, 'default').filter(({ involvedObject }) => involvedObject.kind === 'Pod')
  assert.deepEqual(new Set(said.map(({ reason }) => reason)), new Set(['Created', 'Pulled', 'Started']))

  await client.delete(pods, { namespace: 'default', name: 'a' })
  await harness.podWhen('a', (pod) => pod === undefined)
  assert.deepEqual(await containerd.runtime.listPodSandboxes(), [])
})

test('environment, ConfigMap, Secret and emptyDir reach the container, and a changed ConfigMap reaches its file', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  await client.create(configMaps, { metadata: { namespace: 'default', name: 'settings' }, data: { color: 'blue' } })
  await client.create(secrets, { metadata: { namespace: 'default', name: 'token' }, data: { key: btoa('s3cret') } })
  const script =
    'echo "$COLOR $KEY $GREETING" > /work/env; trap "exit 0" TERM; until grep -q red /conf/color; do sleep 0.05; done; exit 3'
  const base = busyboxPod('b', ['sh', '-c', script], { restartPolicy: 'Never' })
  const pod: Pod = {
    ...base,
    spec: {
      ...base.spec,
      securityContext: { fsGroup: 2000, runAsUser: 1000 },
      volumes: [
        { name: 'work', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'conf', configMap: { name: 'settings' } },
        { name: 'secret', secret: { secretName: 'token', defaultMode: 0o400 } },
      ],
      containers: [
        {
          ...base.spec.containers[0]!,
          env: [
            { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
            { name: 'KEY', valueFrom: { secretKeyRef: { name: 'token', key: 'key' } } },
            { name: 'GREETING', value: 'hello $(COLOR)' },
          ],
          volumeMounts: [
            { name: 'work', mountPath: '/work', subPath: 'inner' },
            { name: 'conf', mountPath: '/conf' },
            { name: 'secret', mountPath: '/secret' },
          ],
          readinessProbe: { exec: { command: ['grep', 'blue s3cret hello blue', '/work/env'] }, periodSeconds: 1 },
        },
      ],
    },
  }
  await client.create(pods, pod)
  const ready = (await harness.podWhen('b', isReady))!
  const id = ready.status!.containerStatuses![0]!.containerID!.slice('containerd://'.length)
  const exec = await containerd.runtime.execSync(
    id,
    ['sh', '-c', 'cat /secret/key; ls -ln /work/env; cat /etc/resolv.conf'],
    5,
  )
  assert.match(Buffer.from(exec.stdout).toString(), /^s3cret-rw.* 1000 +2000 .*nameserver 10\.0\.0\.10/s)
  const map = client.peek(configMaps, 'default/settings')!
  await client.update(configMaps, { ...map, data: { color: 'red' } })
  const ended = (await harness.podWhen('b', (found) => found?.status?.phase === 'Failed'))!
  assert.equal(ended.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 3)
  await client.delete(pods, { namespace: 'default', name: 'b' })
  await harness.podWhen('b', (found) => found === undefined)
})

test('a container that fails is restarted at once, then rests as CrashLoopBackOff; init containers go first', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const base = busyboxPod('c', ['sh', '-c', 'echo gone > /dev/termination-log; exit 5'])
  const init = { ...base.spec.containers[0]!, name: 'init', command: ['true'] }
  await harness.client.create(pods, { ...base, spec: { ...base.spec, initContainers: [init] } })
  const resting = (await harness.podWhen(
    'c',
    (pod) => pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
  ))!
  const [status] = resting.status!.containerStatuses!
  assert.equal(status?.restartCount, 1)
  assert.equal(status?.lastState?.terminated?.exitCode, 5)
  assert.equal(status?.lastState?.terminated?.message, 'gone\n')
  assert.match(status?.state?.waiting?.message ?? '', /^back-off 10s restarting failed container=main pod=c_default\(/)
  assert.equal(resting.status?.initContainerStatuses?.[0]?.state?.terminated?.reason, 'Completed')
})

test('an agent that restarts leaves containers alone and knows them again; one deleted meanwhile is removed', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  const first = await startAgent(scope, containerd)
  const { client } = first
  await client.create(pods, busyboxPod('d', sleepForever))
  await client.create(pods, busyboxPod('e', sleepForever))
  const before = (await first.podWhen('d', isReady))!
  await first.podWhen('e', isReady)
  await first[Symbol.asyncDispose]()
  await client.delete(pods, { namespace: 'default', name: 'e' }, { gracePeriodSeconds: 0 })
  await using second = await startAgent(scope, containerd, { client })
  await client.delete(pods, { namespace: 'default', name: 'd' }, { gracePeriodSeconds: 1 })
  const ending = await second.podWhen('d', (pod) => pod === undefined || pod.metadata.deletionTimestamp !== undefined)
  if (ending !== undefined) {
    assert.equal(ending.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID)
  }
  await second.podWhen('d', (pod) => pod === undefined)
  await second.agent.cleaned
  assert.deepEqual(await containerd.runtime.listPodSandboxes(), [])
})
