// Workloads that use up what they may, and autoscalers that do not help.

import { deployment, idle, pod, shell, type Scenario } from './scenario.ts'

const spin = 'while :; do :; done'

export const performance: readonly Scenario[] = [
  {
    name: 'an autoscaler whose pods have no CPU requests',
    finds: 'performance/autoscaler-requests',
    about: 'HorizontalPodAutoscaler/web',
    cause: /no cpu request/,
    objects: () => [deployment('web', 1, idle), autoscaler('web')],
  },
  {
    name: 'an autoscaler whose target does not exist',
    finds: 'performance/autoscaler-target',
    about: 'HorizontalPodAutoscaler/wbe',
    cause: /Deployment "wbe" cannot be read\. Did you mean "web"\?/,
    objects: () => [deployment('web', 1, idle), autoscaler('wbe')],
  },
  {
    name: 'an autoscaler at its maximum',
    finds: 'performance/autoscaler-at-maximum',
    about: 'HorizontalPodAutoscaler/web',
    cause: /maximum of 1\./,
    objects: () => [
      deployment('web', 1, shell(spin, { resources: { requests: { cpu: '10m' }, limits: { cpu: '60m' } } })),
      autoscaler('web', 1),
    ],
  },
  {
    name: 'memory near its limit',
    finds: 'performance/memory-near-limit',
    about: 'Pod/full',
    cause: /of the 64Mi that it may/,
    // Files in memory are the container's own memory: as much as is wanted, and no more.
    objects: () => [
      pod(
        'full',
        shell('dd if=/dev/zero of=/m/f bs=1M count=60; sleep infinity', {
          // What is asked for is little: others of these faults take all the memory that can be asked for.
          resources: { requests: { memory: '1Mi' }, limits: { memory: '64Mi' } },
          volumeMounts: [{ name: 'm', mountPath: '/m' }],
        }),
        { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] },
      ),
    ],
  },
  {
    name: 'a CPU limit that is reached',
    finds: 'performance/cpu-throttled',
    about: 'Pod/busy',
    cause: /limit of 50m CPU is reached/,
    objects: () => [pod('busy', shell(spin, { resources: { limits: { cpu: '50m' } } }))],
  },
]

function autoscaler(name: string, maxReplicas = 3): object {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      maxReplicas,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  }
}
