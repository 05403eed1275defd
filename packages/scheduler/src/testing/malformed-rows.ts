// Objects of every kind that the scheduler looks at, each with as many of its fields as it reads: what is missing or senseless in turn.

import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  deviceClasses,
  deviceTaintRules,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceSlices,
  services,
  statefulSets,
  storageClasses,
} from '@aksel/api/resources'
import type { ResourceType } from '@aksel/api/resource'

const shop = { name: 'x', namespace: 'shop' }
const selector = { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] }
const term = {
  topologyKey: 'zone',
  labelSelector: selector,
  namespaces: ['shop'],
  namespaceSelector: selector,
  matchLabelKeys: ['app'],
}
const nodeTerms = {
  nodeSelectorTerms: [
    {
      matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }],
      matchFields: [{ key: 'metadata.name', operator: 'In', values: ['sound'] }],
    },
  ],
}

/** Everything that a decision reads of a pod. */
const spec = {
  priority: 5,
  nodeSelector: { zone: 'a' },
  overhead: { cpu: '1m' },
  resources: { requests: { cpu: '1m' } },
  tolerations: [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule', tolerationSeconds: 5 }],
  containers: [
    {
      name: 'main',
      image: 'web:1',
      resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1' }, claims: [{ name: 'gpu' }] },
      ports: [{ containerPort: 80, hostPort: 8080, hostIP: '10.0.0.1', protocol: 'TCP' }],
    },
  ],
  initContainers: [
    { name: 'init', image: 'web:1', restartPolicy: 'Always', resources: { requests: { cpu: '1m' } }, ports: [] },
  ],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: nodeTerms,
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: nodeTerms.nodeSelectorTerms[0] }],
    },
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [term],
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
    },
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [term],
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
    },
  },
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      minDomains: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: selector,
      matchLabelKeys: ['app'],
      nodeAffinityPolicy: 'Honor',
      nodeTaintsPolicy: 'Honor',
    },
    { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: selector },
  ],
  volumes: [
    { name: 'data', persistentVolumeClaim: { claimName: 'x-1' } },
    { name: 'own', ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
    { name: 'disk', gcePersistentDisk: { pdName: 'd', readOnly: true } },
    { name: 'block', iscsi: { iqn: 'i', readOnly: true } },
    { name: 'image', rbd: { monitors: ['m'], image: 'i', pool: 'p' } },
  ],
  resourceClaims: [{ name: 'gpu', resourceClaimName: 'x-1' }],
  preemptionPolicy: 'PreemptLowerPriority',
}
const status = { nominatedNodeName: 'sound' }

export const malformedRows: readonly (readonly [ResourceType<never> | ResourceType, object])[] = [
  [pods, { metadata: { ...shop, uid: 'u', labels: { app: 'web' } }, spec, status }],
  [
    pods,
    {
      metadata: { ...shop, uid: 'u', labels: { app: 'web' } },
      spec: { ...spec, resourceClaims: [], volumes: [], affinity: {}, schedulingGates: [{ name: 'x' }] },
      status,
    },
  ],
  [
    pods,
    {
      metadata: { ...shop, uid: 'u', labels: { app: 'web' } },
      spec: { ...spec, nodeName: 'sound' },
      status: {
        phase: 'Running',
        startTime: '2026-01-01T00:00:00Z',
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
        resourceClaimStatuses: [{ name: 'gpu', resourceClaimName: 'x-1' }],
        containerStatuses: [
          { name: 'main', allocatedResources: { cpu: '1m' }, resources: { requests: { cpu: '1m' } } },
        ],
      },
    },
  ],
  [
    nodes,
    {
      metadata: { name: 'x', labels: { zone: 'a' }, annotations: { a: 'b' } },
      spec: { unschedulable: true, taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] },
      status: {
        allocatable: { cpu: '1m', memory: '1Mi', pods: '1' },
        images: [{ names: ['web:1'], sizeBytes: 100 }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    },
  ],
  [namespaces, { metadata: { name: 'x', labels: { app: 'web' } }, spec: {}, status: { phase: 'Active' } }],
  [
    persistentVolumeClaims,
    {
      metadata: { ...shop, annotations: { 'volume.kubernetes.io/selected-node': 'x' } },
      spec: {
        accessModes: ['ReadWriteOncePod'],
        storageClassName: 'wait',
        volumeName: 'x-1',
        resources: { requests: { storage: '1Gi' } },
        selector,
      },
      status: { phase: 'Bound' },
    },
  ],
  [
    persistentVolumes,
    {
      metadata: { name: 'x', labels: { 'topology.kubernetes.io/zone': 'a' } },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'wait',
        csi: { driver: 'd', volumeHandle: 'h' },
        nodeAffinity: { required: nodeTerms },
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Available' },
    },
  ],
  [
    storageClasses,
    {
      metadata: { name: 'x' },
      provisioner: 'd',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
    },
  ],
  [
    csiNodes,
    {
      metadata: { name: 'x' },
      spec: { drivers: [{ name: 'd', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 1 } }] },
    },
  ],
  [
    csiDrivers,
    { metadata: { name: 'x' }, spec: { storageCapacity: true, attachRequired: true, fsGroupPolicy: 'File' } },
  ],
  [
    csiStorageCapacities,
    { metadata: shop, storageClassName: 'wait', capacity: '1Gi', maximumVolumeSize: '1Gi', nodeTopology: selector },
  ],
  [services, { metadata: shop, spec: { selector: { app: 'web' } } }],
  [replicaSets, { metadata: shop, spec: { replicas: 1, selector } }],
  [statefulSets, { metadata: shop, spec: { replicas: 1, selector } }],
  [replicationControllers, { metadata: shop, spec: { replicas: 1, selector: { app: 'web' } } }],
  [
    podDisruptionBudgets,
    {
      metadata: shop,
      spec: { minAvailable: 1, selector },
      status: { disruptionsAllowed: 1, disruptedPods: { p: '2026-01-01T00:00:00Z' } },
    },
  ],
  [
    resourceClaims,
    {
      metadata: { ...shop, uid: 'u' },
      spec: {
        devices: {
          requests: [
            {
              name: 'a',
              exactly: {
                deviceClassName: 'gpu',
                allocationMode: 'ExactCount',
                count: 1,
                selectors: [{ cel: { expression: 'device.driver == "d"' } }],
                tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }],
                capacity: { requests: { memory: '1Gi' } },
              },
            },
            { name: 'b', firstAvailable: [{ name: 'c', deviceClassName: 'gpu', count: 1 }] },
          ],
          constraints: [{ requests: ['a'], matchAttribute: 'd/model' }],
          config: [{ requests: ['a'], opaque: { driver: 'd', parameters: {} } }],
        },
      },
      status: {
        allocation: {
          devices: {
            results: [{ request: 'a', driver: 'd', pool: 'p', device: 'x', consumedCapacity: { memory: '1Gi' } }],
          },
          nodeSelector: nodeTerms,
        },
        reservedFor: [{ resource: 'pods', name: 'x-1', uid: 'u' }],
      },
    },
  ],
  [
    resourceSlices,
    {
      metadata: { name: 'x' },
      spec: {
        driver: 'd',
        pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
        nodeName: 'sound',
        sharedCounters: [{ name: 's', counters: { memory: { value: '4Gi' } } }],
        devices: [
          {
            name: 'x',
            attributes: { model: { string: 'm' }, speed: { int: 1 }, free: { bool: true }, at: { version: '1.0.0' } },
            capacity: { memory: { value: '1Gi', requestPolicy: { default: '1Gi', validRange: { min: '1Mi' } } } },
            consumesCounters: [{ counterSet: 's', counters: { memory: { value: '1Gi' } } }],
            taints: [{ key: 'k', effect: 'NoSchedule', value: 'v' }],
            bindingConditions: ['c'],
            allowMultipleAllocations: true,
          },
        ],
      },
    },
  ],
  [
    deviceClasses,
    {
      metadata: { name: 'x' },
      spec: {
        selectors: [{ cel: { expression: 'device.driver == "d"' } }],
        config: [{ opaque: { driver: 'd', parameters: {} } }],
      },
    },
  ],
  [
    deviceTaintRules,
    {
      metadata: { name: 'x' },
      spec: { deviceSelector: { driver: 'd', pool: 'p', device: 'x' }, taint: { key: 'k', effect: 'NoSchedule' } },
    },
  ],
]
