// Which code answers a subresource: the row's own rules for most, a handler of its own for the few that do more than write.

import { draftOf } from '@aksel/base/draft'
import type { ResourceCall } from '../call-context.ts'
import type { Answer } from '../http/message.ts'
import { jsonAnswer, successStatus } from '../http/answer.ts'
import { methodNotAllowed, noSuchPath } from '../refusals.ts'
import { bodyObject } from '../registry/read-body.ts'
import { getVerb, patchVerb, updateVerb, writeCallOf, type VerbTools } from '../registry/verbs.ts'
import { writeOptionsOf, type WriteOptions } from '../registry/write-options.ts'
import { changeObject } from '../registry/update.ts'
import { writeContext } from '../registry/registry.ts'
import { bodyTypeOf } from '../registry/decode.ts'
import { subresourceBody } from './body.ts'
import { scaleSubresource } from './scale.ts'

export type SubresourceHandler = (tools: VerbTools, context: ResourceCall) => Promise<Answer>

/** By `group/plural/subresource`; a `*` plural stands for any. */
export type SubresourceHandlers = Readonly<Record<string, SubresourceHandler>>

export function runSubresource(
  tools: VerbTools,
  context: ResourceCall,
  handlers: SubresourceHandlers,
): Promise<Answer> {
  const { row, info } = context
  const fact = row.subresources[info.subresource]
  if (fact === undefined) throw noSuchPath()
  if (!(fact.verbs as readonly string[]).includes(info.verb)) throw methodNotAllowed()
  const special = handlers[`${row.group}/${row.plural}/${info.subresource}`]
  if (special !== undefined) return special(tools, context)
  if (info.subresource === 'scale' && row.scale !== undefined) return scaleSubresource(tools, context, row.scale)
  if (row.subresourceActions[info.subresource] !== undefined) return runAction(tools, context)
  if (row.subresourceUpdates[info.subresource] === undefined) throw noSuchPath()
  switch (info.verb) {
    case 'get':
      return getVerb(tools, context)
    case 'update':
      return updateVerb(tools, context, info.subresource)
    case 'patch':
      return patchVerb(tools, context, info.subresource)
    default:
      throw methodNotAllowed()
  }
}

/** POST on `bindings`: the pod that the body names is bound, as by its own subresource. */
export async function bindingsCollection(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const row = tools.registry.kinds.find('', 'v1', 'pods')!
  const body = await bodyObject(tools, context, bodyTypeOf(context.row), createOptionsOf(context))
  const info = { ...context.info, name: body.metadata.name ?? '', resource: row.plural, subresource: 'binding' }
  return applyAction(tools, { ...context, row, info }, body)
}

function createOptionsOf({ info }: ResourceCall): WriteOptions {
  return writeOptionsOf('CreateOptions', info.query)
}

/** A POST that changes the object, as a binding does. */
async function runAction(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const body = await bodyObject(tools, context, subresourceBody(tools, context), createOptionsOf(context))
  return applyAction(tools, context, body)
}

async function applyAction(tools: VerbTools, context: ResourceCall, body: object): Promise<Answer> {
  const { row, info } = context
  const action = row.subresourceActions[info.subresource]!
  const call = writeCallOf(context, createOptionsOf(context))
  const fact = row.subresources[info.subresource]
  await changeObject(tools.registry, call, {
    name: info.name,
    subresource: info.subresource,
    operation: 'CREATE',
    body: {
      group: fact?.group ?? row.group,
      version: fact?.version ?? row.version,
      kind: fact?.kind ?? row.kind,
      object: body,
    },
    ownership: 'kept',
    next(current) {
      const object = draftOf(current!) as Parameters<typeof action.apply>[0]
      action.apply(object, body as Readonly<Record<string, unknown>>, writeContext(tools.registry, call))
      delete object.metadata.resourceVersion
      return object
    },
  })
  return jsonAnswer(201, { ...successStatus(undefined), code: 201 })
}
