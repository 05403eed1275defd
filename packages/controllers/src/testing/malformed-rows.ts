// Objects of every kind that a loop looks at, each with as many of its fields as loops read: what is missing or senseless in turn.

import {
  certificateSigningRequests,
  clusterRoles,
  configMaps,
  controllerRevisions,
  cronJobs,
  csiDrivers,
  customResourceDefinitions,
  daemonSets,
  deployments,
  deviceTaintRules,
  endpointSlices,
  endpoints,
  horizontalPodAutoscalers,
  ipAddresses,
  jobs,
  leases,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  resourceClaimTemplates,
  resourceClaims,
  resourceSlices,
  resourceQuotas,
  secrets,
  serviceAccounts,
  serviceCidrs,
  services,
  statefulSets,
  storageClasses,
  volumeAttachments,
  volumeAttributesClasses,
} from '@aksel/api/resources'
import type { ResourceType } from '@aksel/api/resource'
import { newClaim, newDeployment, newJob, newPod, newStatefulSet, readyNode, template } from './objects.ts'

export const malformedRows: readonly (readonly [ResourceType<never> | ResourceType, object])[] = [
  [
    pods,
    {
      ...newPod(
        'x',
        {
          nodeName: 'a',
          tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
          resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'x-1' }],
          volumes: [
            { name: 'data', persistentVolumeClaim: { claimName: 'x-1' } },
            { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: newClaim('c').spec } } },
            { name: 'token', secret: { secretName: 'x-1' } },
          ],
        },
        { app: 'web' },
      ),
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        startTime: '2026-01-01T00:00:00Z',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
        containerStatuses: [
          { name: 'main', restartCount: 1, state: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:00Z' } } },
        ],
      },
    },
  ],
  [deployments, newDeployment('x', { replicas: 1 })],
  [replicaSets, { metadata: { name: 'x', namespace: 'shop' }, spec: newDeployment('x').spec }],
  [
    replicationControllers,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: { replicas: 1, selector: { app: 'x' }, template: template('x') },
    },
  ],
  [
    statefulSets,
    newStatefulSet('x', {
      replicas: 1,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
      volumeClaimTemplates: [newClaim('data')],
    }),
  ],
  [
    daemonSets,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        selector: { matchLabels: { app: 'x' } },
        template: template('x'),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '10%' } },
      },
    },
  ],
  [
    jobs,
    {
      ...newJob('x', {
        completions: 2,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 1,
        activeDeadlineSeconds: 9,
        podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }] },
        successPolicy: { rules: [{ succeededIndexes: '0' }] },
      }),
      status: {
        startTime: '2026-01-01T00:00:00Z',
        completedIndexes: '0',
        uncountedTerminatedPods: { succeeded: ['u'] },
        conditions: [{ type: 'Suspended', status: 'False' }],
      },
    },
  ],
  [
    cronJobs,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        schedule: '*/5 * * * *',
        timeZone: 'Europe/Berlin',
        startingDeadlineSeconds: 10,
        concurrencyPolicy: 'Forbid',
        jobTemplate: { metadata: { labels: { a: 'b' } }, spec: newJob('x').spec },
        successfulJobsHistoryLimit: 1,
      },
      status: { lastScheduleTime: '2026-01-01T00:00:00Z', active: [{ name: 'j', uid: 'u' }] },
    },
  ],
  [
    services,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.0.0.9',
        clusterIPs: ['10.0.0.9'],
        ipFamilies: ['IPv4'],
        selector: { app: 'web' },
        ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
      },
    },
  ],
  [
    endpointSlices,
    {
      metadata: { name: 'x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'x' } }],
    },
  ],
  [
    nodes,
    {
      ...readyNode('x', '10.0.0.1'),
      spec: { taints: [{ key: 'k', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }] },
    },
  ],
  [
    persistentVolumes,
    {
      metadata: { name: 'x' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        csi: { driver: 'd', volumeHandle: 'h' },
        claimRef: { namespace: 'shop', name: 'data', uid: 'u' },
        persistentVolumeReclaimPolicy: 'Delete',
      },
      status: { phase: 'Bound' },
    },
  ],
  [
    persistentVolumeClaims,
    {
      ...newClaim('x', { volumeName: 'v', storageClassName: 'fast' }),
      status: { phase: 'Bound', capacity: { storage: '1Gi' } },
    },
  ],
  [
    podDisruptionBudgets,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: { minAvailable: '50%', selector: { matchLabels: { app: 'web' } } },
      status: { disruptedPods: { p: '2026-01-01T00:00:00Z' }, disruptionsAllowed: 1 },
    },
  ],
  [
    resourceQuotas,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        hard: { pods: '1' },
        scopes: ['BestEffort'],
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
      status: { used: { pods: '1' } },
    },
  ],
  [
    horizontalPodAutoscalers,
    {
      metadata: { name: 'x', namespace: 'shop' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' },
        minReplicas: 1,
        maxReplicas: 3,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
        behavior: { scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 10 }] } },
      },
    },
  ],
  [serviceAccounts, { metadata: { name: 'x', namespace: 'shop' }, secrets: [{ name: 's' }] }],
  [namespaces, { metadata: { name: 'x' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
  [
    certificateSigningRequests,
    {
      metadata: { name: 'x' },
      spec: {
        request: Buffer.from('-----BEGIN CERTIFICATE REQUEST-----').toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['client auth'],
        username: 'system:node:x',
        expirationSeconds: 600,
      },
      status: {
        conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: '2026-01-01T00:00:00Z' }],
        certificate: 'eA==',
      },
    },
  ],
  [
    secrets,
    {
      metadata: {
        name: 'x',
        namespace: 'shop',
        annotations: { 'kubernetes.io/service-account.name': 'x', 'kubernetes.io/service-account.uid': 'u' },
        labels: { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' },
      },
      type: 'kubernetes.io/service-account-token',
      data: { token: 'eA==' },
    },
  ],
  [
    volumeAttachments,
    {
      metadata: { name: 'x', finalizers: ['x/y'] },
      spec: { attacher: 'd', nodeName: 'sound', source: { persistentVolumeName: 'x-1' } },
      status: { attached: true, attachError: { message: 'no' } },
    },
  ],
  [csiDrivers, { metadata: { name: 'x' }, spec: { attachRequired: true, fsGroupPolicy: 'File' } }],
  [
    resourceClaims,
    {
      metadata: {
        name: 'x',
        namespace: 'shop',
        finalizers: ['resource.kubernetes.io/delete-protection'],
        annotations: { 'resource.kubernetes.io/pod-claim-name': 'a' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x-1', uid: 'u', controller: true }],
      },
      spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'd' } }] } },
      status: {
        allocation: { devices: { results: [{ request: 'a', driver: 'x', pool: 'x', device: 'x' }] } },
        reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }],
      },
    },
  ],
  [
    resourceSlices,
    {
      metadata: { name: 'x' },
      spec: {
        driver: 'x',
        pool: { name: 'x', generation: 1, resourceSliceCount: 1 },
        nodeName: 'x',
        devices: [{ name: 'x', taints: [{ key: 'x', effect: 'NoExecute' }] }],
      },
    },
  ],
  [
    resourceClaimTemplates,
    { metadata: { name: 'x', namespace: 'shop' }, spec: { spec: { devices: { requests: [{ name: 'a' }] } } } },
  ],
  [configMaps, { metadata: { name: 'x', namespace: 'shop' }, data: { 'ca.crt': 'x' } }],
  [
    leases,
    {
      metadata: { name: 'x', namespace: 'kube-node-lease' },
      spec: { holderIdentity: 'x', renewTime: '2026-01-01T00:00:00.000000Z' },
    },
  ],
  [
    clusterRoles,
    {
      metadata: { name: 'x', labels: { a: 'b' } },
      aggregationRule: {
        clusterRoleSelectors: [
          { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
        ],
      },
      rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
    },
  ],
  [
    storageClasses,
    { metadata: { name: 'x' }, provisioner: 'd', volumeBindingMode: 'WaitForFirstConsumer', reclaimPolicy: 'Delete' },
  ],
  [volumeAttributesClasses, { metadata: { name: 'x', finalizers: ['kubernetes.io/vac-protection'] }, driverName: 'd' }],
  [
    endpoints,
    {
      metadata: { name: 'x', namespace: 'shop', labels: { a: 'b' } },
      subsets: [
        {
          addresses: [{ ip: '10.0.0.1', targetRef: { kind: 'Pod', name: 'x' }, nodeName: 'a' }],
          notReadyAddresses: [{ ip: '10.0.0.2' }],
          ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
        },
      ],
    },
  ],
  [
    controllerRevisions,
    {
      metadata: {
        name: 'x',
        namespace: 'shop',
        labels: { app: 'web' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true }],
      },
      data: { spec: { template: {} } },
      revision: 1,
    },
  ],
  [
    customResourceDefinitions,
    {
      metadata: { name: 'xs.example.com' },
      spec: {
        group: 'example.com',
        names: { kind: 'X', plural: 'xs' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true }],
      },
      status: { conditions: [{ type: 'Established', status: 'True' }], acceptedNames: { kind: 'X', plural: 'xs' } },
    },
  ],
  [
    serviceCidrs,
    {
      metadata: { name: 'x', finalizers: ['networking.k8s.io/service-cidr-finalizer'] },
      spec: { cidrs: ['10.1.0.0/16', 'fd00::/112'] },
      status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    },
  ],
  [
    ipAddresses,
    {
      metadata: { name: 'x', labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
      spec: { parentRef: { resource: 'services', namespace: 'shop', name: 'web' } },
    },
  ],
  [
    secrets,
    {
      metadata: { name: 'x', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      data: { 'token-id': 'eA==', expiration: 'eA==', 'usage-bootstrap-signing': 'eA==' },
    },
  ],
  [
    deviceTaintRules,
    {
      metadata: { name: 'x' },
      spec: {
        deviceSelector: { driver: 'x', pool: 'x', device: 'x' },
        taint: { key: 'x', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' },
      },
    },
  ],
]
