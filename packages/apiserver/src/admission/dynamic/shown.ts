// What webhooks and policies are shown of a request: the object in the version that they ask for, or the body of a
// subresource; and the way back for what they change.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import { draftOf, type Draft } from '@aksel/base/draft'
import type { AdmissionContext, AdmissionRequest } from '../admission.ts'

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

export interface Shown {
  readonly kind: GroupVersionKind
  /** null where the operation has none. */
  readonly object: unknown
  readonly old: unknown
}

/** `row` is the request's own, or one that serves the same objects in another version. Rejects where a conversion webhook fails. */
export async function shownOf(request: AdmissionRequest, row: KindRow): Promise<Shown> {
  const { body, object, old } = request
  if (body !== undefined) {
    const { group, version, kind } = body
    return { kind: { group, version, kind }, object: body.object ?? null, old: null }
  }
  if (request.subresource === 'scale' && request.row.scale !== undefined) {
    const { scale } = request.row
    return {
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      object: object === undefined ? null : scale.toScale(versioned(object as KubernetesObject, old)),
      old: old === undefined ? null : scale.toScale(old),
    }
  }
  return {
    kind: { group: row.group, version: row.version, kind: row.kind },
    object: object === undefined ? null : versioned(await converted(request.row, row, object as KubernetesObject), old),
    old: old === undefined ? null : await converted(request.row, row, old),
  }
}

/** An update is shown with the revision that it replaces, which the write itself no longer carries. */
function versioned(object: KubernetesObject, old: KubernetesObject | undefined): KubernetesObject {
  const resourceVersion = old?.metadata.resourceVersion
  if (resourceVersion === undefined || object.metadata.resourceVersion !== undefined) return object
  return { ...object, metadata: { ...object.metadata, resourceVersion } }
}

async function converted(from: KindRow, to: KindRow, object: KubernetesObject): Promise<KubernetesObject> {
  if (from === to) return object
  const custom = from.ownership?.convert?.(object, groupVersionOf(to))
  if (custom !== undefined) return { ...((await custom) as KubernetesObject) }
  const draft = draftOf(object) as Draft<KubernetesObject>
  const stored = from.storedAs === undefined ? draft : from.storedAs.toStored(draft)
  const shown = to.storedAs === undefined ? stored : to.storedAs.fromStored(stored as KubernetesObject)
  const apiVersion = to.group === '' ? to.version : `${to.group}/${to.version}`
  return { ...shown, apiVersion, kind: to.kind } as KubernetesObject
}

/** Puts what was made of the shown object into the request. Throws where it is no object of its kind. */
export async function takeBack(
  { schemas }: AdmissionContext,
  request: AdmissionRequest,
  row: KindRow,
  next: unknown,
): Promise<void> {
  if (request.body !== undefined) {
    replaceContents(request.body.object as object, next as object)
    return
  }
  const object = request.object!
  if (request.subresource === 'scale' && request.row.scale !== undefined) {
    request.row.scale.applyScale(object, next as Scale)
    return
  }
  const schema = row.custom?.schema ?? schemas.get(row.message)
  const { value } = schema.decode(next)
  const decoded = value as unknown as Draft<KubernetesObject>
  row.default(decoded)
  const own = await converted(row, request.row, decoded as KubernetesObject)
  replaceContents(object, own)
  if (request.old !== undefined) delete object.metadata.resourceVersion
}

function replaceContents(target: object, next: object): void {
  for (const key of Object.keys(target)) delete (target as Record<string, unknown>)[key]
  Object.assign(target, next)
}
