// What may be done to an object, as the call that does it: method, path, body. Who sends it decides nothing.

import { apiPath, type ApiResource } from './resources.ts'

export interface Order {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly contentType?: string
}

export interface Target {
  readonly namespace: string
  readonly name: string
}

const MERGE = 'application/merge-patch+json'

export function scaleOrder(resource: ApiResource, target: Target, replicas: number): Order {
  return {
    method: 'PATCH',
    path: apiPath(resource, { ...target, subresource: 'scale' }),
    contentType: MERGE,
    body: { spec: { replicas } },
  }
}

/** As `kubectl rollout restart`: the template changes, and the rollout does the rest. */
export function restartOrder(resource: ApiResource, target: Target, nowMs: number): Order {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z') }
  return {
    method: 'PATCH',
    path: apiPath(resource, target),
    contentType: MERGE,
    body: { spec: { template: { metadata: { annotations } } } },
  }
}

export function deleteOrder(resource: ApiResource, target: Target): Order {
  return { method: 'DELETE', path: `${apiPath(resource, target)}?propagationPolicy=Background` }
}

export function cordonOrder(nodes: ApiResource, name: string, unschedulable: boolean): Order {
  return { method: 'PATCH', path: apiPath(nodes, { name }), contentType: MERGE, body: { spec: { unschedulable } } }
}

export function suspendOrder(resource: ApiResource, target: Target, suspend: boolean): Order {
  return { method: 'PATCH', path: apiPath(resource, target), contentType: MERGE, body: { spec: { suspend } } }
}

/** As `kubectl create job --from=cronjob/…`. */
export function triggerOrder(
  cronJob: {
    readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string }
    readonly spec?: Readonly<Record<string, unknown>>
  },
  suffix: string,
): Order {
  const template = (cronJob.spec?.['jobTemplate'] ?? {}) as {
    readonly metadata?: { readonly labels?: unknown; readonly annotations?: Readonly<Record<string, string>> }
    readonly spec?: unknown
  }
  const { name, namespace = 'default', uid } = cronJob.metadata
  return {
    method: 'POST',
    path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
    body: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: `${name.slice(0, 52)}-${suffix}`,
        labels: template.metadata?.labels,
        annotations: { ...template.metadata?.annotations, 'cronjob.kubernetes.io/instantiate': 'manual' },
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name, uid, controller: true }],
      },
      spec: template.spec,
    },
  }
}

interface DrainedPod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly { readonly kind: string; readonly controller?: boolean }[]
  }
  readonly status?: { readonly phase?: string }
}

export interface DrainPlan {
  readonly evict: readonly DrainedPod[]
  /** Left where they are, with the reason. */
  readonly stay: readonly { readonly pod: DrainedPod; readonly why: string }[]
}

/** As `kubectl drain --ignore-daemonsets --delete-emptydir-data`: those of DaemonSets and mirrors of static pods stay. */
export function planDrain(pods: readonly DrainedPod[]): DrainPlan {
  const stay: { readonly pod: DrainedPod; readonly why: string }[] = []
  const evict: DrainedPod[] = []
  for (const pod of pods) {
    const { annotations = {}, ownerReferences = [] } = pod.metadata
    if (annotations['kubernetes.io/config.mirror'] !== undefined) stay.push({ pod, why: 'static pod' })
    else if (ownerReferences.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true))
      stay.push({ pod, why: 'of a DaemonSet' })
    else evict.push(pod)
  }
  return { evict, stay }
}

export function evictOrder({ metadata: { namespace, name } }: DrainedPod): Order {
  return {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
  }
}
