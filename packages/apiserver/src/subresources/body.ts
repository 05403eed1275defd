// The bodies that subresources take: of the kind that the tables name for them.

import type { ResourceCall } from '../call-context.ts'
import { decodeBody, type BodyType } from '../registry/decode.ts'
import { decodeSettings, type VerbTools } from '../registry/verbs.ts'

/** The body that a subresource takes. */
export function subresourceBody(context: ResourceCall): BodyType {
  const { row, info } = context
  const fact = row.subresources[info.subresource]!
  const group = fact.group ?? row.group
  const version = fact.version ?? row.version
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind: fact.kind, message: fact.message }
}

/** A value of the subresource's kind, decoded from what a patch made of it. */
export function decodeSubresource<T>(tools: VerbTools, context: ResourceCall, value: unknown): T {
  const type = subresourceBody(context)
  return decodeBody(decodeSettings(tools.registry.schemas, context), type, {
    value,
    duplicates: [],
  }) as unknown as T
}
