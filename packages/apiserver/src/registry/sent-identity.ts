// Which object a write is of: what its body says, beside what its path and the object that was read say.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import type { ResourceCall } from '../call-context.ts'
import { conflictError } from '../refusals.ts'
import { matchNamespace } from './create.ts'

/** A PUT says which object it is, not only its path. */
export function assertNamed({ metadata }: Draft<KubernetesObject>, name: string): void {
  if (metadata.name !== undefined && metadata.name !== '') return
  throw new ApiError(
    'BadRequest',
    `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
  )
}

/** The name of an object that a PUT creates is that of the URL. */
export function named(namespace: string, name: string, object: Draft<KubernetesObject>): Draft<KubernetesObject> {
  if (object.metadata.name !== undefined && object.metadata.name !== '' && object.metadata.name !== name) {
    throw new ApiError(
      'BadRequest',
      `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
    )
  }
  object.metadata.name = name
  matchNamespace(object, namespace)
  delete object.metadata.resourceVersion
  return object
}

/** The version that was read is not one that the caller insists on, unless the patch sets it. */
export function withoutReadVersion(
  object: Draft<KubernetesObject>,
  current: KubernetesObject,
): Draft<KubernetesObject> {
  if (object.metadata.resourceVersion === current.metadata.resourceVersion) delete object.metadata.resourceVersion
  return object
}

export function newlyApplied(
  namespace: string,
  { row, info }: ResourceCall,
  object: Draft<KubernetesObject>,
): Draft<KubernetesObject> {
  const { uid } = object.metadata
  if (uid !== undefined && uid !== '') {
    const detail = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
    throw conflictError(row, info.name, detail)
  }
  return named(namespace, info.name, object)
}
