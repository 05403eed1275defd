// Pods and nodes with any field missing or senseless beside sound ones: simulated nodes go on taking pods through their stages.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leases, nodes, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { FakeClient } from '@aksel/testing/fake-client'
import { variantsOf } from '@aksel/testing/malformed'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { faultsAnnotation } from './faults.ts'
import { openFleet } from './fleet.ts'
import { stagesAnnotation } from './stage-options.ts'
import { machineSpec } from './testing/machine-spec.ts'

const stages = {
  startSeconds: 1,
  jitterSeconds: 1,
  initSeconds: 1,
  initExitCodes: [1, 0],
  readySeconds: 1,
  runSeconds: 2,
  exitCodes: [1, 0],
  exitReason: 'OOMKilled',
  message: 'm',
  terminationSeconds: 1,
  containers: { main: { ready: true, exitCodes: [3] } },
}
const metadata = { name: 'x', namespace: 'd', uid: 'u', finalizers: ['example.com/hold'] }
const spec = {
  nodeName: 'n0',
  restartPolicy: 'OnFailure',
  activeDeadlineSeconds: 30,
  priority: 1,
  hostNetwork: true,
  readinessGates: [{ conditionType: 'example.com/ready' }],
  initContainers: [
    { name: 'init', image: 'i', resources: { requests: { cpu: '1m' } } },
    { name: 'side', image: 'i', restartPolicy: 'Always' },
  ],
  containers: [
    {
      name: 'main',
      image: 'i',
      restartPolicy: 'OnFailure',
      restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
      resources: { requests: { cpu: '1m' }, limits: { cpu: '1m' } },
    },
  ],
}
const ended = { exitCode: 1, reason: 'Error', startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:00Z' }
const states = {
  waiting: { reason: 'CrashLoopBackOff', message: 'm' },
  running: { startedAt: '2026-01-01T00:00:00Z' },
  terminated: ended,
} as const
const statusOf = (state: object): object => ({
  phase: 'Running',
  startTime: '2026-01-01T00:00:00Z',
  podIP: '10.244.0.9',
  podIPs: [{ ip: '10.244.0.9' }],
  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  initContainerStatuses: [{ name: 'init', restartCount: 1, state: { terminated: ended }, lastState: {} }],
  containerStatuses: [
    { name: 'main', restartCount: 1, ready: true, state, lastState: { terminated: ended }, resources: {} },
  ],
})
const annotated = { ...metadata, annotations: { [stagesAnnotation]: JSON.stringify(stages) } }

const rows: readonly (readonly [string, object])[] = [
  ['that waits', { metadata: annotated, spec }],
  ...Object.entries(states).map(
    ([name, state]) =>
      [`whose container is ${name}`, { metadata: annotated, spec, status: statusOf({ [name]: state }) }] as const,
  ),
  [
    'that is asked to go',
    {
      metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:10Z', deletionGracePeriodSeconds: 5 },
      spec,
      status: statusOf({ running: states.running }),
    },
  ],
]

const sound: Pod = {
  metadata: { name: 'sound', namespace: 'd', uid: 's' },
  spec: { nodeName: 'n0', restartPolicy: 'Never', containers: [{ name: 'main', resources: {} }] },
}

/** The node lives, a sound pod runs, and nobody tripped. */
function judge(scope: TestScope, client: FakeClient): void {
  assert.equal(client.peek(pods, 'd/sound')?.status?.phase, 'Running')
  const renewed = Date.parse(client.peek(leases, 'kube-node-lease/n0')?.spec?.renewTime ?? '')
  assert.ok(scope.clock.now() - renewed <= 20_000, 'the lease is renewed')
  const bugs = scope.lines.flatMap(({ level, message, fields }) => {
    const { error } = fields as { readonly error?: Error }
    const isBug = level === 'error' || error instanceof TypeError || error instanceof RangeError
    return isBug ? [`${message}: ${error?.stack?.slice(0, 400)}`] : []
  })
  assert.deepEqual(bugs, [])
}

for (const [what, object] of rows) {
  test(
    `no simulated node stops for a pod ${what} with a field that is missing or makes no sense`,
    { timeout: 60_000 },
    async () => {
      using scope = testScope()
      const client = new FakeClient(scope)
      let count = 0
      for (const { metadata: own, ...rest } of variantsOf(object as Pod, ['nodeName'])) {
        count += 1
        const finalizers = count % 2 === 0 ? {} : { finalizers: [] }
        client.put(pods, { ...rest, metadata: { ...own, ...finalizers, name: `x-${count}`, uid: `u-${count}` } })
      }
      assert.ok(count > 20, `only ${count} variants`)
      await using fleet = openFleet(scope, client)
      fleet.add({ client: () => client, spec: machineSpec(0), address: '198.18.0.0' })
      await scope.clock.run(5000)
      client.put(pods, sound)
      await scope.clock.run(20_000)
      judge(scope, client)
      const before = Number(client.objects.revision)
      await scope.clock.run(20_000)
      const writes = (Number(client.objects.revision) - before) / count
      assert.ok(writes < 40, `${writes} writes for each pod in 20 seconds: somebody writes for ever`)
    },
  )
}

test('no simulated node stops because something on its own object makes no sense', { timeout: 60_000 }, async () => {
  const node: Node = {
    metadata: {
      name: 'n0',
      annotations: {
        [faultsAnnotation]: JSON.stringify([{ kind: 'slow-start', seconds: 1, since: '2026-01-01T00:00:00Z' }]),
        [stagesAnnotation]: JSON.stringify(stages),
      },
      labels: { a: 'b' },
    },
    spec: { podCIDR: '10.244.0.0/24', taints: [{ key: 'k', effect: 'NoSchedule' }] },
    status: {
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      allocatable: { cpu: '1' },
      addresses: [{ type: 'InternalIP', address: '198.18.0.0' }],
    },
  }
  let count = 0
  for (const variant of variantsOf(node)) {
    count += 1
    using scope = testScope()
    const client = new FakeClient(scope)
    client.put(nodes, variant)
    await using fleet = openFleet(scope, client)
    fleet.add({ client: () => client, spec: machineSpec(0), address: '198.18.0.0' })
    client.put(pods, sound)
    await scope.clock.run(2500)
    client.put(nodes, { ...variant, metadata: { ...variant.metadata, annotations: {} } })
    await scope.clock.run(30_000)
    judge(scope, client)
  }
  assert.ok(count > 10, `only ${count} variants`)
})
