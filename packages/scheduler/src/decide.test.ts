// Table tests of the decision: every reason by which a node is turned away, in upstream's words, and every preference.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { decide, type Decision } from './decide.ts'
import { Snapshot } from './snapshot.ts'

interface Given {
  readonly nodes: readonly Node[]
  readonly standing?: readonly Pod[]
  readonly claims?: readonly PersistentVolumeClaim[]
  readonly volumes?: readonly PersistentVolume[]
  readonly classes?: readonly StorageClass[]
}

function node(
  name: string,
  more: { labels?: Record<string, string>; spec?: Node['spec']; cpu?: string; pods?: string } = {},
): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    spec: more.spec ?? {},
    status: { allocatable: { cpu: more.cpu ?? '2', memory: '4Gi', pods: more.pods ?? '10' } },
  }
}

function pod(name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  return {
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i', resources: {} }], ...spec },
  }
}

function asking(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: 'c', image: 'i', resources: { requests } }] }
}

function on(nodeName: string, standing: Pod): Pod {
  return { ...standing, spec: { ...standing.spec, nodeName } }
}

function decided(wanted: Pod, given: Given): Decision {
  const snapshot = new Snapshot()
  for (const each of given.nodes) snapshot.setNode(each)
  for (const each of given.standing ?? []) snapshot.setPod(each)
  return decide(wanted, {
    nodes: snapshot.nodes,
    namespaceLabels: () => ({}),
    claim: (key) => given.claims?.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
    volume: (name) => given.volumes?.find(({ metadata }) => metadata.name === name),
    storageClass: (name) => given.classes?.find(({ metadata }) => metadata.name === name),
  })
}

function chosen(wanted: Pod, given: Given): string {
  const decision = decided(wanted, given)
  assert.equal(decision.kind, 'fits', decision.kind === 'fits' ? '' : decision.message)
  return decision.kind === 'fits' ? decision.nodeName : ''
}

function refused(wanted: Pod, given: Given): string {
  const decision = decided(wanted, given)
  assert.equal(decision.kind, 'unschedulable')
  return decision.kind === 'unschedulable' ? decision.message : ''
}

const antiAffinity = (labels: Record<string, string>): Partial<PodSpec> => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
      ],
    },
  },
})

test('decide() says that there are no nodes', () => {
  assert.equal(refused(pod('p'), { nodes: [] }), 'no nodes available to schedule pods')
})

test('decide() counts nodes by what they lack, as upstream words it', () => {
  const nodes = [
    node('a', { cpu: '1' }),
    node('b', { cpu: '1' }),
    node('c', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
  ]
  assert.match(
    refused(pod('p', asking({ cpu: '1500m' })), { nodes }),
    /^0\/3 nodes are available: 1 node\(s\) had untolerated taint \{k: v\}, 2 Insufficient cpu\./,
  )
})

const refusals: readonly { readonly name: string; readonly pod: Pod; readonly given: Given; readonly words: RegExp }[] =
  [
    {
      name: 'a cordoned node',
      pod: pod('p'),
      given: { nodes: [node('a', { spec: { unschedulable: true } })] },
      words: /1 node\(s\) were unschedulable/,
    },
    {
      name: 'a selector that no label meets',
      pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
      given: { nodes: [node('a')] },
      words: /1 node\(s\) didn't match Pod's node affinity\/selector/,
    },
    {
      name: 'a full node',
      pod: pod('p'),
      given: { nodes: [node('a', { pods: '1' })], standing: [on('a', pod('x'))] },
      words: /1 Too many pods/,
    },
    {
      name: 'a host port that is taken',
      pod: pod('p', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }], resources: {} }] }),
      given: {
        nodes: [node('a')],
        standing: [
          on(
            'a',
            pod('x', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }], resources: {} }] }),
          ),
        ],
      },
      words: /1 node\(s\) didn't have free ports for the requested pod ports/,
    },
    {
      name: 'its own anti-affinity',
      pod: pod('p', antiAffinity({ app: 'web' })),
      given: { nodes: [node('a')], standing: [on('a', pod('x', {}, { app: 'web' }))] },
      words: /didn't match pod anti-affinity rules/,
    },
    {
      name: "a standing pod's anti-affinity",
      pod: pod('p', {}, { app: 'web' }),
      given: { nodes: [node('a')], standing: [on('a', pod('x', antiAffinity({ app: 'web' })))] },
      words: /didn't satisfy existing pods anti-affinity rules/,
    },
    {
      name: 'affinity to pods that stand nowhere',
      pod: pod('p', {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } },
            ],
          },
        },
      }),
      given: { nodes: [node('a')] },
      words: /didn't match pod affinity rules/,
    },
    {
      name: 'a claim that does not exist',
      pod: withClaim(),
      given: { nodes: [node('a')] },
      words: /persistentvolumeclaim "data" not found/,
    },
    {
      name: 'an unbound immediate claim',
      pod: withClaim(),
      given: {
        nodes: [node('a')],
        claims: [claim({ storageClassName: 'now' })],
        classes: [storageClass('now', 'Immediate')],
      },
      words: /pod has unbound immediate PersistentVolumeClaims/,
    },
    {
      name: 'a volume in another zone',
      pod: withClaim(),
      given: { nodes: [node('a', { labels: { zone: '2' } })], claims: [boundClaim()], volumes: [volumeInZone('1')] },
      words: /1 node\(s\) didn't match PersistentVolume's node affinity/,
    },
    {
      name: 'a spread that would be too uneven',
      pod: pod(
        'p',
        {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app: 'web' } },
            },
          ],
        },
        { app: 'web' },
      ),
      given: {
        nodes: [node('a'), node('b', { spec: { unschedulable: true } })],
        standing: [on('a', pod('x', {}, { app: 'web' }))],
      },
      words: /1 node\(s\) didn't match pod topology spread constraints/,
    },
  ]

for (const { name, pod: wanted, given, words } of refusals) {
  test(`decide() turns away ${name}`, () => assert.match(refused(wanted, given), words))
}

test('decide() lets a toleration pass a taint', () => {
  const nodes = [node('a', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } })]
  assert.equal(chosen(pod('p', { tolerations: [{ key: 'k', operator: 'Exists' }] }), { nodes }), 'a')
  assert.equal(
    chosen(pod('p', { tolerations: [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }] }), { nodes }),
    'a',
  )
})

test('decide() prefers the emptier node, the preferred label and the untainted node', () => {
  const busy = on('a', pod('x', asking({ cpu: '1', memory: '2Gi' })))
  assert.equal(chosen(pod('p'), { nodes: [node('a'), node('b')], standing: [busy] }), 'b')
  const wish = {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 100, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
        ],
      },
    },
  }
  assert.equal(chosen(pod('p', wish), { nodes: [node('a'), node('b', { labels: { disk: 'ssd' } })] }), 'b')
  const soft = { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }
  assert.equal(chosen(pod('p'), { nodes: [node('a', { spec: soft }), node('b')] }), 'b')
})

test('decide() waits for the node before an unbound claim is provisioned', () => {
  const given = {
    nodes: [node('a')],
    claims: [claim({ storageClassName: 'later' })],
    classes: [storageClass('later', 'WaitForFirstConsumer')],
  }
  assert.equal(chosen(withClaim(), given), 'a')
})

test('decide() lets the first pod of a group that wants to be together start it', () => {
  const together = {
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } },
        ],
      },
    },
  }
  assert.equal(chosen(pod('p', together, { app: 'web' }), { nodes: [node('a')] }), 'a')
  assert.equal(
    chosen(pod('q', together, { app: 'web' }), {
      nodes: [node('a'), node('b')],
      standing: [on('b', pod('p', together, { app: 'web' }))],
    }),
    'b',
  )
})

test('decide() counts a side-car beside the containers and an init container alone', () => {
  const spec: Partial<PodSpec> = {
    initContainers: [
      { name: 'side', restartPolicy: 'Always', resources: { requests: { cpu: '500m' } } },
      { name: 'init', resources: { requests: { cpu: '1' } } },
    ],
    containers: [{ name: 'c', resources: { requests: { cpu: '800m' } } }],
  }
  assert.equal(chosen(pod('p', spec), { nodes: [node('a', { cpu: '1500m' })] }), 'a')
  assert.match(refused(pod('p', spec), { nodes: [node('a', { cpu: '1400m' })] }), /Insufficient cpu/)
})

test('the snapshot gives back what a pod held when it goes or ends', () => {
  const snapshot = new Snapshot()
  snapshot.setPod(on('a', pod('early', asking({ cpu: '1' }))))
  snapshot.setNode(node('a'))
  assert.equal(snapshot.nodes.get('a')!.requested['cpu'], 1000)
  snapshot.setPod({ ...on('a', pod('early', asking({ cpu: '1' }))), status: { phase: 'Succeeded' } })
  assert.equal(snapshot.nodes.get('a')!.requested['cpu'], 0)
})

function withClaim(): Pod {
  return pod('p', { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] })
}

function claim(spec: PersistentVolumeClaim['spec']): PersistentVolumeClaim {
  return { metadata: { name: 'data', namespace: 'default' }, spec }
}

function boundClaim(): PersistentVolumeClaim {
  return {
    metadata: { name: 'data', namespace: 'default', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName: 'pv1' },
    status: { phase: 'Bound' },
  }
}

function volumeInZone(zone: string): PersistentVolume {
  return {
    metadata: { name: 'pv1' },
    spec: {
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] }] },
      },
    },
  }
}

function storageClass(name: string, volumeBindingMode: string): StorageClass {
  return { metadata: { name }, provisioner: 'x', volumeBindingMode } as StorageClass
}
