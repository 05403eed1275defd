// Table tests of the decision: every reason by which a node is turned away, in upstream's words, and every preference.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, PodSpec } from '@aksel/api/types/core-v1'
import { Decider } from './decider.ts'
import { defaultProfile } from './profile.ts'
import { boundClaim, claim, storageClass, volumeInZone, withClaim } from './testing/claims.ts'
import { asking, chosen, decided, node, on, pod, refused, type Given } from './testing/decisions.ts'
import { plainObjects } from './testing/plain-objects.ts'

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

test('the state gives back what a pod held when it goes or ends', () => {
  const { state } = new Decider(plainObjects({}), [defaultProfile()])
  state.setPod(on('a', pod('early', asking({ cpu: '1' }))))
  state.setNode(node('a'))
  const cpu = state.resources.requested[0]!
  assert.equal(cpu[0], 1000)
  state.setPod({ ...on('a', pod('early', asking({ cpu: '1' }))), status: { phase: 'Succeeded' } })
  assert.equal(cpu[0], 0)
  state.setPod(on('a', pod('late', asking({ cpu: '1' }))))
  state.removeNode('a')
  state.setNode(node('a'))
  assert.deepEqual([cpu[0], state.resources.podCount[0]], [1000, 1])
})

test('explain() tells what each node answered, with plug-in, words and scores', () => {
  const nodes = [
    node('a', { cpu: '1' }),
    node('b'),
    node('c', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
  ]
  const decision = decided(pod('p', asking({ cpu: '1500m' })), { nodes })
  assert.equal(decision.kind, 'fits')
  assert.deepEqual(
    decision.nodes.map(({ score, ...answer }) => ({ ...answer, scored: score !== undefined })),
    [
      { node: 'a', fits: false, plugin: 'NodeResourcesFit', reasons: ['Insufficient cpu'], scored: false },
      { node: 'b', fits: true, reasons: [], scored: true },
      {
        node: 'c',
        fits: false,
        plugin: 'TaintToleration',
        reasons: ['node(s) had untolerated taint {k: v}'],
        scored: false,
      },
    ],
  )
})

test('a pod of a DaemonSet is judged on the one node that it names', () => {
  const spec: Partial<PodSpec> = {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
        },
      },
    },
  }
  assert.equal(chosen(pod('p', spec), { nodes: [node('a'), node('b'), node('c')] }), 'b')
  const full = [node('a'), node('b', { pods: '0' }), node('c')]
  assert.equal(
    refused(pod('p', spec), { nodes: full }),
    "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
  )
})

test('a pod without constraints is spread by the default ones over the pods of its service', () => {
  const zone = (value: string) => ({ labels: { 'topology.kubernetes.io/zone': value } })
  const web = { app: 'web' }
  const given: Given = {
    nodes: [node('a', zone('1')), node('b', zone('1')), node('c', zone('2'))],
    standing: [on('a', pod('x', {}, web)), on('c', pod('y', asking({ cpu: '200m', memory: '200Mi' })))],
    defaultSelector: { matchLabels: web },
  }
  assert.equal(chosen(pod('p', {}, web), given), 'c')
  assert.equal(chosen(pod('p', {}, web), { nodes: given.nodes, standing: given.standing! }), 'b')
})

test('a pod that is being resized counts with the larger of what is asked and granted', () => {
  const resized: Pod = {
    ...on('a', pod('x', asking({ cpu: '500m' }))),
    status: {
      containerStatuses: [
        { name: 'c', image: '', imageID: '', ready: true, restartCount: 0, allocatedResources: { cpu: '1500m' } },
      ],
    },
  }
  const given = { nodes: [node('a')], standing: [resized] }
  assert.match(refused(pod('p', asking({ cpu: '1' })), given), /Insufficient cpu/)
  assert.equal(chosen(pod('p', asking({ cpu: '500m' })), given), 'a')
})

test('what a pod asks for as a whole replaces the sum of its containers', () => {
  const spec = { ...asking({ cpu: '1' }), resources: { requests: { cpu: '2500m' } } }
  assert.match(refused(pod('p', spec), { nodes: [node('a')] }), /Insufficient cpu/)
})
