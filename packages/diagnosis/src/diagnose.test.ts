// Findings about what cannot be caused in a test cluster, and what must not be found.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HorizontalPodAutoscaler } from '@aksel/api/types/autoscaling-v2'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { Deployment } from '@aksel/api/types/apps-v1'
import type { Event, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service } from '@aksel/api/types/core-v1'
import { diagnose } from './diagnose.ts'
import type { Finding } from './finding.ts'
import { emptyPicture, type Picture } from './picture.ts'

const nowMs = Date.parse('2026-11-27T12:00:00Z')
const long = '2026-11-27T10:00:00Z'

function node(name: string, more: Partial<Node> = {}, conditions: readonly object[] = []): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: {
      allocatable: { cpu: '2', memory: '4Gi', pods: '30' },
      conditions: [{ type: 'Ready', status: 'True' }, ...conditions],
    },
    ...more,
  } as Node
}

function pod(name: string, spec: object, status: object = {}, metadata: object = {}): Pod {
  return {
    metadata: { name, namespace: 'app', uid: name, creationTimestamp: long, labels: { app: 'web' }, ...metadata },
    spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
    status,
  } as unknown as Pod
}

function pendingPod(spec: object, message = '0/2 nodes are available'): Pod {
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }]
  return pod('p', spec, { phase: 'Pending', conditions })
}

const running = (name: string, nodeName = 'a'): Pod =>
  pod(name, { nodeName }, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })

function found(picture: Partial<Picture>): readonly Finding[] {
  return diagnose({ ...emptyPicture(nowMs), ...picture })
}

function ids(picture: Partial<Picture>): readonly string[] {
  return found(picture).map(({ id }) => id)
}

const tainted = (key: string): Partial<Node> => ({ spec: { taints: [{ key, value: 'x', effect: 'NoSchedule' }] } })

void test('a taint that the pod does not tolerate is in the way only where no other node is left', () => {
  const pods = [pendingPod({})]
  const picture = { pods, nodes: [node('a', tainted('gpu')), node('b', { spec: { unschedulable: true } })] }
  const [finding] = found(picture)
  assert.equal(finding?.id, 'pending/taints')
  assert.match(finding.cause, /gpu=x:NoSchedule/)
  const tolerant = [pendingPod({ tolerations: [{ key: 'gpu', operator: 'Exists' }] })]
  assert.deepEqual(ids({ ...picture, pods: tolerant }), ['pending/unschedulable'])
})

void test('nodes that the cluster itself has marked as unfit are told as such', () => {
  const nodes = [node('a', tainted('node.kubernetes.io/unreachable'))]
  assert.deepEqual(ids({ nodes, pods: [pendingPod({})] }), ['pending/nodes-unwell'])
})

void test('cordoned nodes and no nodes at all', () => {
  const cordoned = node('a', { spec: { unschedulable: true } })
  assert.deepEqual(ids({ nodes: [cordoned], pods: [pendingPod({})] }), ['pending/cordoned'])
  assert.deepEqual(ids({ pods: [pendingPod({})] }), ['pending/no-nodes'])
})

void test('room is counted on the nodes that the pod may use, with what their pods ask for', () => {
  const asks = (cpu: string): object => ({ containers: [{ name: 'main', resources: { requests: { cpu } } }] })
  const full = pod(
    'full',
    { ...asks('1800m'), nodeName: 'a' },
    { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  )
  const pods = [full, pendingPod({ ...asks('500m'), nodeSelector: { 'kubernetes.io/hostname': 'a' } })]
  const [finding] = found({ nodes: [node('a'), node('b')], pods })
  assert.equal(finding?.id, 'pending/insufficient-resources')
  assert.match(finding.cause, /asks for 500m of cpu; the roomiest node, a, has 200m left/)
  assert.deepEqual(ids({ nodes: [node('a'), node('b')], pods: [full, pendingPod(asks('500m'))] }), [
    'pending/unschedulable',
  ])
})

void test('an autoscaler of nodes that has no room is told with what is short', () => {
  const event = {
    type: 'Normal',
    reason: 'NotTriggerScaleUp',
    message: 'max size reached',
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'app' },
  }
  const pods = [
    pendingPod({ containers: [{ name: 'main', resources: { requests: { cpu: '2' } } }] }),
    pod(
      'full',
      { nodeName: 'a', containers: [{ name: 'm', resources: { requests: { cpu: '1' } } }] },
      { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    ),
  ]
  const [finding] = found({ nodes: [node('a')], pods, events: [event as unknown as Event] })
  assert.match(finding!.cause, /The autoscaler has no room to add a node/)
  assert.ok(finding!.evidence.some(({ line }) => line.includes('max size reached')))
})

void test('a volume whose zone has no node left', () => {
  const claim = {
    metadata: { name: 'data', namespace: 'app' },
    spec: { volumeName: 'disk' },
    status: { phase: 'Bound' },
  }
  const expression = { key: 'topology.kubernetes.io/zone', operator: 'In', values: ['westeurope-3'] }
  const volume = {
    metadata: { name: 'disk' },
    spec: { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } } },
    status: { phase: 'Bound' },
  }
  const [finding] = found({
    nodes: [node('a')],
    pods: [pendingPod({ volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] })],
    persistentVolumeClaims: [claim as unknown as PersistentVolumeClaim],
    persistentVolumes: [volume as unknown as PersistentVolume],
  })
  assert.equal(finding?.id, 'pending/volume-zone')
  assert.match(finding.cause, /lies in topology\.kubernetes\.io\/zone westeurope-3/)
})

void test('a claim that waits for its first pod is well', () => {
  const claim = {
    metadata: { name: 'data', namespace: 'app' },
    spec: { storageClassName: 'disk' },
    status: { phase: 'Pending' },
  }
  const disk = {
    metadata: { name: 'disk' },
    provisioner: 'disk.csi.azure.com',
    volumeBindingMode: 'WaitForFirstConsumer',
  }
  assert.deepEqual(
    ids({ persistentVolumeClaims: [claim as unknown as PersistentVolumeClaim], storageClasses: [disk] }),
    [],
  )
})

void test('nodes that are silent or under pressure', () => {
  const silent = {
    status: { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: '' }] },
  }
  const pressed = node('b', {}, [
    { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', message: 'full' },
  ])
  assert.deepEqual(ids({ nodes: [node('a', silent as unknown as Partial<Node>), pressed] }).toSorted(), [
    'nodes/disk-pressure',
    'nodes/silent',
  ])
})

void test('an evicted pod says what its node was low on', () => {
  const message = 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi.'
  const [finding] = found({
    pods: [pod('p', { nodeName: 'a' }, { phase: 'Failed', reason: 'Evicted', message })],
    nodes: [node('a')],
  })
  assert.equal(finding?.id, 'nodes/evicted')
  assert.match(finding.cause, /low on memory/)
})

void test('an autoscaler at its maximum', () => {
  const scaler = {
    metadata: { name: 'web', namespace: 'app' },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web' } },
    status: { currentReplicas: 3, conditions: [{ type: 'ScalingLimited', status: 'True', reason: 'TooManyReplicas' }] },
  } as unknown as HorizontalPodAutoscaler
  assert.deepEqual(ids({ horizontalPodAutoscalers: [scaler] }), ['performance/autoscaler-at-maximum'])
})

void test('memory near its limit, and a neighbour that takes all the CPU', () => {
  const quiet = running('quiet')
  const noisy = running('noisy')
  const near = pod(
    'near',
    { nodeName: 'a', containers: [{ name: 'main', resources: { limits: { memory: '100Mi' } } }] },
    { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  )
  const usage = (name: string, cpu: string, memory = '1Mi'): Picture['podMetrics'][number] =>
    ({
      metadata: { name, namespace: 'app' },
      containers: [{ name: 'main', usage: { cpu, memory } }],
    }) as unknown as Picture['podMetrics'][number]
  const nodeMetrics = [
    { metadata: { name: 'a' }, usage: { cpu: '1950m', memory: '1Gi' } } as unknown as Picture['nodeMetrics'][number],
  ]
  const findings = found({
    nodes: [node('a')],
    pods: [quiet, noisy, near],
    podMetrics: [usage('quiet', '10m'), usage('noisy', '1800m'), usage('near', '0', '97Mi')],
    nodeMetrics,
  })
  assert.deepEqual(findings.map(({ id, subject }) => `${id} ${subject.name}`).toSorted(), [
    'performance/memory-near-limit near',
    'performance/noisy-neighbour noisy',
  ])
})

void test('certificates in secrets that are over, end soon, or last', () => {
  const day = 86_400_000
  const certificateEnds = new Map([
    ['app/old', nowMs - day],
    ['app/soon', nowMs + 5 * day],
    ['app/fresh', nowMs + 60 * day],
  ])
  assert.deepEqual(
    found({ certificateEnds }).map(({ id, subject }) => `${id} ${subject.name}`),
    ['access/certificate-expired old', 'access/certificate-expires-soon soon'],
  )
})

void test('a certificate that nobody approves, and one that was denied', () => {
  const request = (name: string, conditions: readonly object[]): CertificateSigningRequest =>
    ({
      metadata: { name, creationTimestamp: long },
      spec: { username: 'jane', signerName: 's/x' },
      status: { conditions },
    }) as unknown as CertificateSigningRequest
  const denied = { type: 'Denied', status: 'True', reason: 'No', message: 'not you' }
  assert.deepEqual(
    found({
      certificateSigningRequests: [
        request('a', []),
        request('b', [denied]),
        request('c', [{ type: 'Approved', status: 'True' }]),
      ],
    })
      .map(({ id, subject }) => `${id} ${subject.name}`)
      .toSorted(),
    ['access/certificate-not-approved a', 'access/certificate-refused b'],
  )
})

void test('a pod that cannot end because its node does not answer', () => {
  const silent = { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } } as unknown as Partial<Node>
  const stuck = pod('p', { nodeName: 'a' }, { phase: 'Running' }, { deletionTimestamp: '2026-11-27T11:50:00Z' })
  const finding = found({ nodes: [node('a', silent)], pods: [stuck] }).find(({ id }) => id === 'workloads/pod-stuck')
  assert.match(finding!.cause, /node "a" does not answer/)
})

void test('replicas that fail alike are told once, and their rollout and service not at all', () => {
  const replica = (name: string): Pod =>
    pod(
      name,
      { nodeName: 'a' },
      {
        phase: 'Running',
        containerStatuses: [
          {
            name: 'main',
            ready: false,
            restartCount: 5,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 1, reason: 'Error' } },
          },
        ],
      },
      { ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', uid: 'rs', controller: true }] },
    )
  const owner = { kind: 'Deployment', name: 'web', uid: 'd', controller: true }
  const service = {
    metadata: { name: 'web', namespace: 'app' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  } as unknown as Service
  const stalled = {
    metadata: { name: 'web', namespace: 'app', uid: 'd' },
    status: { conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] },
  } as unknown as Deployment
  const findings = found({
    nodes: [node('a')],
    pods: [replica('web-1-a'), replica('web-1-b'), replica('web-1-c')],
    replicaSets: [
      {
        metadata: { name: 'web-1', namespace: 'app', uid: 'rs', ownerReferences: [owner] },
      } as unknown as Picture['replicaSets'][number],
    ],
    deployments: [stalled],
    services: [service],
  })
  assert.deepEqual(
    findings.map(({ id }) => id),
    ['containers/crash'],
  )
  assert.equal(findings[0]!.alsoAffected.length, 2)
  const about = { kind: 'Deployment', namespace: 'app', name: 'web' }
  const picture = {
    ...emptyPicture(nowMs),
    nodes: [node('a')],
    pods: [replica('web-1-a')],
    replicaSets: [
      {
        metadata: { name: 'web-1', namespace: 'app', uid: 'rs', ownerReferences: [owner] },
      } as unknown as Picture['replicaSets'][number],
    ],
  }
  assert.equal(diagnose(picture, { about }).length, 1)
  assert.equal(diagnose(picture, { about: { ...about, name: 'other' } }).length, 0)
})

void test('what may not be read leads to no finding', () => {
  const pods = [
    pendingPod(
      { nodeSelector: { disk: 'ssd' }, volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'x' } }] },
      'no node',
    ),
  ]
  const unread = new Map([
    ['nodes', 'forbidden'],
    ['persistentVolumeClaims', 'forbidden'],
  ] as const)
  assert.deepEqual(ids({ pods, unread }), ['pending/unschedulable'])
})
