// The scale subresource of stored objects, as far as autoscalers and budgets ask for it.

import { groupVersionOf } from '@aksel/api/resource'
import type { KubernetesObject, ObjectRef, ResourceType } from '@aksel/api/resource'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import { parseJson } from '@aksel/base/json'
import { formatSelector } from '@aksel/runtime/selectors'

interface Scaled extends KubernetesObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector }
  readonly status?: { readonly replicas?: number }
}

export interface ScaleCall {
  readonly type: ResourceType
  readonly ref: ObjectRef
  /** Set for a write. */
  readonly replicas: number | undefined
  readonly answer: (object: KubernetesObject) => unknown
}

/** Undefined for any other path, and for kinds without replicas. */
export function scaleCall(
  types: readonly ResourceType[],
  { method = 'GET', path, body }: { readonly method?: string; readonly path: string; readonly body?: Uint8Array },
): ScaleCall | undefined {
  const match = /^\/apis?\/(.+)\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)\/scale$/.exec(path)
  if (match === null) return undefined
  const [, groupVersion, namespace, plural, name] = match as unknown as readonly string[]
  const type = types.find((each) => groupVersionOf(each) === groupVersion && each.plural === plural)
  if (type === undefined) return undefined
  const wanted = method === 'GET' ? undefined : (parseJson(body!) as Scaled).spec?.replicas
  return { type, ref: { namespace: namespace!, name: name! }, replicas: wanted, answer: scaleOf }
}

function scaleOf(object: KubernetesObject): unknown {
  const { metadata, spec, status } = object as Scaled
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: spec?.replicas ?? 1 },
    status: { replicas: status?.replicas ?? 0, selector: formatSelector(spec?.selector ?? {}) },
  }
}
