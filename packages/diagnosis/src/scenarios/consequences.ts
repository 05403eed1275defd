// Faults that are seen by what came of them: jobs, budgets, volumes, endpoints, webhooks, and what programs say before they end.

import { deployment, idle, job, pod, service, shell, type Scenario } from './scenario.ts'

export const consequences: readonly Scenario[] = [
  {
    name: 'a Job that fails as often as it may',
    finds: 'workloads/job-failed',
    about: 'Job/report',
    cause: /as often as backoffLimit allows/,
    objects: () => [job('report', shell('exit 3'))],
  },
  {
    name: 'a budget that selects no pod',
    finds: 'workloads/budget-empty',
    about: 'PodDisruptionBudget/lost',
    cause: /No pod of the namespace/,
    objects: () => [
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'lost' },
        spec: { minAvailable: 1, selector: { matchLabels: { app: 'nobody' } } },
      },
    ],
  },
  {
    name: 'an admission webhook that does not answer, and whose policy is to fail',
    finds: 'workloads/webhook-unreachable',
    about: 'Deployment/web',
    cause: /"strict\.example\.com" does not answer/,
    // Pods come only when the webhook is there to be asked.
    objects: (namespace) => [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: `strict-${namespace}` },
        webhooks: [
          {
            name: 'strict.example.com',
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Fail',
            timeoutSeconds: 1,
            clientConfig: { service: { namespace, name: 'strict' } },
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
        ],
      },
      deployment('web', 0, idle),
    ],
    afterwards: (namespace) => [['scale', 'deployment/web', '--replicas=1', '-n', namespace]],
  },
  {
    name: 'a service whose pods are not ready',
    finds: 'network/endpoints-not-ready',
    about: 'Service/web',
    cause: /selects 1 pod, and none is ready/,
    objects: () => [
      pod(
        'web',
        { ...idle, readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } },
        {},
        { labels: { app: 'web' } },
      ),
      service('web', { app: 'web' }),
    ],
  },
  {
    name: 'a program that writes where the image is read only',
    finds: 'containers/permission-denied',
    about: 'Pod/writer',
    cause: /does not let it do what it wants/,
    objects: () => [pod('writer', shell('touch /here', { securityContext: { readOnlyRootFilesystem: true } }))],
  },
  {
    name: 'an autoscaler whose metric nobody serves',
    finds: 'performance/autoscaler-metrics',
    about: 'HorizontalPodAutoscaler/web',
    cause: /gets no metrics/,
    objects: () => [
      deployment('web', 1, idle),
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'web' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          maxReplicas: 3,
          metrics: [
            {
              type: 'External',
              external: { metric: { name: 'queue-length' }, target: { type: 'AverageValue', averageValue: '5' } },
            },
          ],
        },
      },
    ],
  },
  {
    name: 'a volume whose claim is gone, kept for whoever wants its data',
    finds: 'storage/volume-released',
    about: 'PersistentVolume',
    cause: /claim is gone, and its reclaim policy is Retain/,
    objects: (namespace) => [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `kept-of-${namespace}` },
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          persistentVolumeReclaimPolicy: 'Retain',
          hostPath: { path: '/var/tmp' },
          claimRef: { namespace, name: 'data' },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: {
          storageClassName: '',
          volumeName: `kept-of-${namespace}`,
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
        },
      },
    ],
    afterwards: (namespace) => [
      ['wait', 'pvc/data', '-n', namespace, '--for=jsonpath={.status.phase}=Bound', '--timeout=120s'],
      ['delete', 'pvc/data', '-n', namespace, '--wait=false'],
    ],
  },
]
