// Objects that tests of loops begin with.

import type { Deployment, StatefulSet } from '@aksel/api/types/apps-v1'
import type { Job, JobSpec } from '@aksel/api/types/batch-v1'
import type { Node, PersistentVolumeClaim, Pod, PodTemplateSpec } from '@aksel/api/types/core-v1'

export function template(app: string, image = 'web:1'): PodTemplateSpec {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image }] } }
}

export function newDeployment(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    metadata: { name, namespace: 'shop' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: template(name),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  }
}

export function newStatefulSet(name: string, spec: Partial<StatefulSet['spec']> = {}): StatefulSet {
  return {
    metadata: { name, namespace: 'shop' },
    spec: {
      replicas: 3,
      serviceName: name,
      selector: { matchLabels: { app: name } },
      template: template(name),
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
  }
}

/** As the server completes it: a selector by the job's name stands in for its uid. */
export function newJob(name: string, spec: Partial<JobSpec> = {}): Job {
  const base = template(name)
  return {
    metadata: { name, namespace: 'shop' },
    spec: {
      ...(spec.completions === undefined && spec.parallelism === undefined ? { completions: 1 } : {}),
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy: spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed',
      selector: { matchLabels: { app: name } },
      template: { ...base, spec: { ...base.spec!, restartPolicy: 'Never' } },
      ...spec,
    },
  }
}

export function newPod(
  name: string,
  spec: Partial<Pod['spec']> = {},
  labels: Readonly<Record<string, string>> = {},
): Pod {
  return {
    metadata: { name, namespace: 'shop', labels },
    spec: { containers: [{ name: 'main', image: 'web:1' }], ...spec },
  }
}

export function newClaim(name: string, spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    metadata: { name, namespace: 'shop' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  }
}

export function readyNode(name: string, address: string): Node {
  return {
    metadata: { name },
    spec: {},
    status: {
      conditions: ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({
        type,
        status: type === 'Ready' ? 'True' : 'False',
        reason: 'KubeletReady',
        message: 'kubelet is posting ready status',
      })),
      addresses: [{ type: 'InternalIP', address }],
    },
  }
}
