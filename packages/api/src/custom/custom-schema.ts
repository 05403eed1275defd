// How a custom resource is read: metadata as everywhere, the rest as it comes, without what its schema does not know.

import type { Decoded, Schema } from '../schema.ts'
import { coerceEmbedded, hasEmbedded } from './embedded.ts'
import { prune } from './prune.ts'
import { asRoot, isObject, type Json, type SchemaNode } from './schema-node.ts'

/** `meta`: the schema of ObjectMeta. */
export function customSchema(reference: string, node: SchemaNode, meta: Schema): Schema {
  const root = asRoot(node)
  const embeds = hasEmbedded(node)
  return {
    reference,
    decode(input): Decoded {
      const { metadata, ...rest } = input as Json
      const value = sortedCopy(rest) as Json
      const unknownFields: string[] = []
      if (metadata !== undefined) {
        const read = meta.decode(metadata)
        value['metadata'] = read.value
        unknownFields.push(...read.unknownFields.map((field) => `metadata.${field}`))
      }
      unknownFields.push(...prune(value, root))
      if (embeds) unknownFields.push(...coerceEmbedded(value, node, meta))
      return { value, unknownFields }
    },
  }
}

/** A copy with keys in byte order, as Go writes maps. */
export function sortedCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedCopy)
  if (!isObject(value)) return value
  const output: Json = {}
  for (const key of Object.keys(value).sort()) {
    const copy = sortedCopy(value[key])
    if (key === '__proto__')
      Object.defineProperty(output, key, { value: copy, enumerable: true, writable: true, configurable: true })
    else output[key] = copy
  }
  return output
}
