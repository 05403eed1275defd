// The bodies that subresources take: of the kind that the tables name for them.

import type { SubresourceFact } from '@aksel/api/kind-row'
import { hasMessage } from '@aksel/api/tables'
import type { ResourceCall } from '../call-context.ts'
import { decodeBody, type BodyType } from '../registry/decode.ts'
import type { WriteOptions } from '../registry/write-options.ts'
import { decodeSettings } from '../registry/read-body.ts'
import type { VerbTools } from '../registry/verbs.ts'

/** The body that a subresource takes. */
export function subresourceBody(tools: VerbTools, context: ResourceCall): BodyType {
  const { row, info } = context
  const fact = row.subresources[info.subresource]!
  const group = fact.group ?? row.group
  const version = fact.version ?? row.version
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind: fact.kind,
    message: messageFor(tools, group, version, fact),
  }
}

/** A body that is no kind of its own (TokenRequest) is found by where its group keeps its messages. */
function messageFor(tools: VerbTools, group: string, version: string, fact: SubresourceFact): string {
  if (fact.message.endsWith(`.${fact.kind}`)) return fact.message
  const derived = `${group === '' ? 'core' : group.split('.')[0]!}/${version}.${fact.kind}`
  return hasMessage(tools.registry.schemas.tables, derived) ? derived : fact.message
}

/** A value of the subresource's kind, decoded from what a patch made of it. */
export function decodeSubresource<T>(
  tools: VerbTools,
  context: ResourceCall,
  options: WriteOptions,
  value: unknown,
): T {
  const type = subresourceBody(tools, context)
  return decodeBody(decodeSettings(tools.registry.schemas, context, options), type, {
    value,
    duplicates: [],
  }) as unknown as T
}
