// Between an object in the store, in whatever version it was written, and one version as it is served.

import type { Draft } from '@aksel/base/draft'
import type { KubernetesObject } from '../resource.ts'
import type { CustomResourceDefinition } from '../types/apiextensions-v1.ts'
import { applyDefaults, isDefaulted } from './defaults.ts'
import { isPruned, prune } from './prune.ts'
import { asRoot, schemaNode, type Json, type SchemaNode } from './schema-node.ts'
import { schemaOf } from './version-schema.ts'

/** Asks the webhook for these objects in another version; rejects with an ApiError. */
export type ConvertObjects = (
  objects: readonly KubernetesObject[],
  apiVersion: string,
) => Promise<readonly KubernetesObject[]>

type Objects = readonly KubernetesObject[]

export interface StoredForms {
  fromStored(stored: Objects): Objects | Promise<Objects>
  toStored(object: KubernetesObject): KubernetesObject | Promise<KubernetesObject>
  /** In another version; undefined where the definition does not have it. */
  inVersion(object: KubernetesObject, apiVersion: string): Promise<KubernetesObject | undefined>
}

export function storedForms(
  definition: CustomResourceDefinition,
  version: string,
  convert: ConvertObjects | undefined,
): StoredForms {
  const { group, versions } = definition.spec
  const roots = new Map<string, SchemaNode>(
    versions.map((one) => [`${group}/${one.name}`, asRoot(schemaNode(schemaOf(definition, one)))]),
  )
  const served = `${group}/${version}`
  const stored = `${group}/${versions.find((one) => one.storage)?.name ?? version}`
  const renamed = (object: KubernetesObject, apiVersion: string): KubernetesObject =>
    object.apiVersion === apiVersion ? object : { ...object, apiVersion }
  const prunedTo = (object: KubernetesObject, apiVersion: string): KubernetesObject =>
    pruned(renamed(object, apiVersion), roots.get(apiVersion))
  return {
    fromStored(objects) {
      const whole = objects.map((object) => completed(object, roots.get(object.apiVersion ?? '')))
      if (convert === undefined || whole.every(({ apiVersion }) => apiVersion === served))
        return whole.map((object) => (object.apiVersion === served ? object : prunedTo(object, served)))
      return convertSome(convert, whole, served, prunedTo)
    },
    toStored(object) {
      if (object.apiVersion === stored) return object
      if (convert === undefined) return prunedTo(object, stored)
      return convert([object], stored).then(([converted]) => prunedTo(converted!, stored))
    },
    async inVersion(object, apiVersion) {
      if (object.apiVersion === apiVersion) return object
      if (!roots.has(apiVersion)) return undefined
      return prunedTo(convert === undefined ? object : (await convert([object], apiVersion))[0]!, apiVersion)
    },
  }
}

/** Only those in another version are sent; the others stay in their places. */
async function convertSome(
  convert: ConvertObjects,
  objects: Objects,
  apiVersion: string,
  prunedTo: (object: KubernetesObject, apiVersion: string) => KubernetesObject,
): Promise<Objects> {
  const others = objects.filter((object) => object.apiVersion !== apiVersion)
  const converted = await convert(others, apiVersion)
  let next = 0
  return objects.map((object) => (object.apiVersion === apiVersion ? object : prunedTo(converted[next++]!, apiVersion)))
}

/** With the defaults of the version that it is in, and nothing that its schema does not know. */
function completed(object: KubernetesObject, root: SchemaNode | undefined): KubernetesObject {
  if (root === undefined || (isPruned(object, root) && isDefaulted(object, root))) return object
  const copy = structuredClone(object) as Draft<KubernetesObject> as unknown as Json
  prune(copy, root)
  applyDefaults(copy, root)
  return copy as unknown as KubernetesObject
}

function pruned(object: KubernetesObject, root: SchemaNode | undefined): KubernetesObject {
  if (root === undefined || isPruned(object, root)) return object
  const copy = structuredClone(object) as Draft<KubernetesObject> as unknown as Json
  prune(copy, root)
  return copy as unknown as KubernetesObject
}
