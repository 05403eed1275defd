// A story that gives every loop something to do, on a cluster in memory: things are made, changed and taken away.

import {
  clusterRoles,
  configMaps,
  cronJobs,
  csiDrivers,
  daemonSets,
  deployments,
  endpoints,
  horizontalPodAutoscalers,
  ipAddresses,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicationControllers,
  resourceClaims,
  resourceClaimTemplates,
  resourceQuotas,
  resourceSlices,
  secrets,
  serviceAccounts,
  serviceCidrs,
  services,
  statefulSets,
  storageClasses,
  volumeAttachments,
  volumeAttributesClasses,
} from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { targetNodeOf } from '../daemon-set/placement.ts'
import type { TestCluster } from './cluster.ts'
import { newClaim, newDeployment, newJob, newPod, newStatefulSet, readyNode, template } from './objects.ts'

const driver = 'disk.example.com'
const inShop = (name: string) => ({ name, namespace: 'shop' })
const token = (text: string): string => Buffer.from(text).toString('base64')

/** Each is done a second after the one before. */
const steps: readonly ((cluster: TestCluster) => unknown)[] = [
  ({ client }) => client.create(namespaces, { metadata: { name: 'shop' }, spec: {} }),
  ({ client }) => client.create(namespaces, { metadata: { name: 'gone' }, spec: {} }),
  ({ client }) => client.create(nodes, readyNode('sound', '10.0.0.1')),
  // It never gives a sign of life: its pods are driven off.
  ({ client }) => client.create(nodes, readyNode('silent', '10.0.0.2')),
  async ({ client }) => {
    const place = {
      nodeName: 'silent',
      tolerations: [{ operator: 'Exists', tolerationSeconds: 5, effect: 'NoExecute' }],
    }
    await client.create(pods, newPod('stranded', place))
    await client.create(pods, newPod('nowhere', { nodeName: 'never-was' }))
  },
  ({ client }) => {
    const containers = [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '100m' } } }]
    return client.create(
      deployments,
      newDeployment('web', { replicas: 2, template: { ...template('web'), spec: { containers } } }),
    )
  },
  ({ client }) => client.create(statefulSets, newStatefulSet('db', { replicas: 2 })),
  ({ client }) =>
    client.create(replicationControllers, {
      metadata: inShop('old'),
      spec: { replicas: 1, selector: { app: 'old' }, template: template('old') },
    }),
  ({ client }) =>
    client.create(daemonSets, {
      metadata: inShop('agent'),
      spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
    }),
  ({ client }) => client.create(jobs, newJob('work', { ttlSecondsAfterFinished: 5 })),
  ({ client }) =>
    client.create(cronJobs, {
      metadata: inShop('tick'),
      spec: {
        schedule: '* * * * *',
        concurrencyPolicy: 'Forbid',
        jobTemplate: { spec: newJob('tick').spec! },
        successfulJobsHistoryLimit: 1,
      },
    }),
  async ({ client }) => {
    const ports = [{ port: 80, protocol: 'TCP' }]
    const spec = { type: 'LoadBalancer', selector: { app: 'web' }, ports, clusterIP: '10.0.0.10' }
    await client.create(services, { metadata: inShop('web'), spec })
    await client.create(services, { metadata: inShop('by-hand'), spec: { ports } })
    await client.create(endpoints, {
      metadata: inShop('by-hand'),
      subsets: [{ addresses: [{ ip: '10.9.9.9' }], ports }],
    })
  },
  ({ client }) =>
    client.create(podDisruptionBudgets, {
      metadata: inShop('web'),
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    }),
  ({ client }) => client.create(resourceQuotas, { metadata: inShop('team'), spec: { hard: { services: '9' } } }),
  ({ client }) =>
    client.create(horizontalPodAutoscalers, {
      metadata: inShop('web'),
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 3,
        maxReplicas: 4,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
      },
    }),
  async ({ client }) => {
    await client.create(clusterRoles, {
      metadata: { name: 'all' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { part: 'of-all' } }] },
      rules: [],
    })
    const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }]
    await client.create(clusterRoles, { metadata: { name: 'part', labels: { part: 'of-all' } }, rules })
  },
  async (cluster) => {
    const { client } = cluster
    const capacity = { storage: '1Gi' }
    const accessModes = ['ReadWriteOnce']
    await client.create(storageClasses, { metadata: { name: 'fast' }, provisioner: driver, allowVolumeExpansion: true })
    await client.create(csiDrivers, { metadata: { name: driver }, spec: { attachRequired: true } })
    const csi = { driver, volumeHandle: 'h' }
    const spec = {
      capacity,
      accessModes,
      csi,
      storageClassName: 'fast',
      persistentVolumeReclaimPolicy: 'Retain' as const,
    }
    await client.create(persistentVolumes, { metadata: { name: 'pv' }, spec })
    await client.create(persistentVolumes, { metadata: { name: 'spare' }, spec: { ...spec, storageClassName: 'slow' } })
    await client.create(persistentVolumeClaims, newClaim('data', { storageClassName: 'fast' }))
    await client.create(volumeAttributesClasses, { metadata: { name: 'gold' }, driverName: driver })
  },
  ({ client }) =>
    client.create(
      pods,
      newPod('user', {
        nodeName: 'sound',
        resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpu' }],
        volumes: [
          { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
          { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: newClaim('c').spec } } },
        ],
      }),
    ),
  ({ client }) =>
    client.create(resourceClaimTemplates, {
      metadata: inShop('gpu'),
      spec: { spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'gpu' } }] } } },
    }),
  // The device of its pod breaks: the pod is driven off it.
  async ({ client }) => {
    const claimed = { nodeName: 'sound', resourceClaims: [{ name: 'gpu', resourceClaimName: 'broken' }] }
    const pod = await client.create(pods, newPod('on-a-device', claimed))
    const results = [{ request: 'one', driver: 'gpu.example.com', pool: 'sound', device: 'g0' }]
    client.put(resourceClaims, {
      metadata: inShop('broken'),
      spec: { devices: { requests: [] } },
      status: {
        allocation: { devices: { results } },
        reservedFor: [{ resource: 'pods', name: pod.metadata.name, uid: pod.metadata.uid! }],
      },
    })
    await client.create(resourceSlices, {
      metadata: { name: 'sound-gpus' },
      spec: {
        driver: 'gpu.example.com',
        pool: { name: 'sound', generation: 1, resourceSliceCount: 1 },
        nodeName: 'sound',
        devices: [{ name: 'g0', taints: [{ key: 'broken', effect: 'NoExecute' }] }],
      },
    })
  },
  async ({ client, clock }) => {
    await client.create(serviceAccounts, { metadata: inShop('robot') })
    await client.create(secrets, {
      metadata: { ...inShop('robot'), annotations: { 'kubernetes.io/service-account.name': 'robot' } },
      type: 'kubernetes.io/service-account-token',
    })
    const kubeSystem = (name: string) => ({ name, namespace: 'kube-system' })
    await client.create(configMaps, {
      metadata: kubeSystem('kube-apiserver-legacy-service-account-token-tracking'),
      data: { since: '2020-01-01' },
    })
    const account = await client.create(serviceAccounts, { metadata: inShop('relic'), secrets: [{ name: 'relic' }] })
    const annotations = {
      'kubernetes.io/service-account.name': 'relic',
      'kubernetes.io/service-account.uid': account.metadata.uid!,
    }
    await client.create(secrets, {
      metadata: { ...inShop('relic'), annotations, labels: { 'kubernetes.io/legacy-token-last-used': '2020-02-01' } },
      type: 'kubernetes.io/service-account-token',
      data: { token: token('x') },
    })
    await client.create(configMaps, {
      metadata: { name: 'cluster-info', namespace: 'kube-public' },
      data: { kubeconfig: 'content' },
    })
    for (const [id, seconds] of [
      ['short0', 20],
      ['long00', 86_400],
    ] as const) {
      const expiration = token(formatTime(clock.now() + seconds * 1000))
      const data = { 'token-id': token(id), 'token-secret': token('abcdef0123456789') }
      await client.create(secrets, {
        metadata: kubeSystem(`bootstrap-token-${id}`),
        type: 'bootstrap.kubernetes.io/token',
        data: { ...data, expiration, 'usage-bootstrap-signing': token('true') },
      })
    }
  },
  async ({ client }) => {
    await client.create(serviceCidrs, { metadata: { name: 'more' }, spec: { cidrs: ['10.1.0.0/16'] } })
    await client.create(ipAddresses, {
      metadata: { name: '10.1.0.7', labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
      spec: { parentRef: { resource: 'services', namespace: 'shop', name: 'web' } },
    })
  },
  ...Array.from({ length: 8 }, () => () => {}),
  ({ client }) =>
    client.change(deployments, 'shop/web', (draft) => {
      draft.spec!.template.spec!.containers[0]!.image = 'web:2'
    }),
  ({ client }) => client.delete(namespaces, { name: 'gone' }),
  ({ client }) =>
    client.change(persistentVolumeClaims, 'shop/data', (draft) => {
      draft.spec.resources = { requests: { storage: '2Gi' } }
    }),
  ({ client }) => client.delete(persistentVolumes, { name: 'spare' }),
  ({ client }) => client.delete(volumeAttributesClasses, { name: 'gold' }),
  ({ client }) => client.delete(serviceCidrs, { name: 'more' }),
  ({ client }) => client.delete(replicationControllers, inShop('old'), { propagationPolicy: 'Foreground' }),
  ({ client }) => client.delete(pods, inShop('user')),
  ({ client }) => client.delete(persistentVolumeClaims, inShop('data')),
]

/** Seconds after which all is done and everything has come to rest. */
export const STORY_SECONDS = 180

/** What people, nodes and drivers do in this second; the loops answer. */
export async function storySecond(cluster: TestCluster, second: number): Promise<void> {
  await steps[second]?.(cluster)
  beatOf(cluster)
  await cluster.clock.run(1000)
  cluster.runPods({ node: (pod) => targetNodeOf(pod) ?? 'sound', starts: isStarted })
  for (const pod of cluster.all(pods)) if (isWork(pod) && pod.status?.phase === 'Running') cluster.finish(pod, 0)
  for (const each of cluster.all(volumeAttachments))
    cluster.client.change(volumeAttachments, keyOf(each), (draft) => {
      draft.status = { attached: each.metadata.deletionTimestamp === undefined }
    })
  for (const each of cluster.all(resourceClaims))
    if (each.metadata.finalizers !== undefined && each.metadata.deletionTimestamp !== undefined)
      cluster.client.change(resourceClaims, keyOf(each), (draft) => void delete draft.metadata.finalizers)
}

function beatOf({ client, clock }: TestCluster): void {
  if (client.peek(nodes, 'sound') === undefined) return
  client.change(nodes, 'sound', (draft) => {
    const ready = draft.status!.conditions!.find(({ type }) => type === 'Ready')!
    // Every ten seconds, as a heartbeat in the status.
    ready.lastHeartbeatTime = formatTime(Math.floor(clock.now() / 10_000) * 10_000)
  })
}

function isStarted({ spec, metadata }: Pod): boolean {
  return spec.nodeName !== 'silent' && spec.nodeName !== 'never-was' && metadata.name !== 'stranded'
}

function isWork({ metadata }: Pod): boolean {
  return (metadata.ownerReferences ?? []).some(({ kind }) => kind === 'Job')
}
