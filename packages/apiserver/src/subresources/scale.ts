// The scale subresource: an object seen as a number of replicas.

import type { ScaleRules } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { patchSchemaOf } from '@aksel/api/patch/patch-schema'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import type { Draft } from '@aksel/base/draft'
import type { ResourceCall } from '../call-context.ts'
import { jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { parseJsonBody, readRequestBody } from '../http/request-body.ts'
import { conflictError, notFoundError } from '../refusals.ts'
import { patched, patchTypeOf } from '../registry/patch.ts'
import { changeObject } from '../registry/update.ts'
import { bodyObject, writeCallOf, type VerbTools } from '../registry/verbs.ts'
import { decodeSubresource, subresourceBody } from './body.ts'

export async function scaleSubresource(
  tools: VerbTools,
  context: ResourceCall,
  rules: ScaleRules<KubernetesObject>,
): Promise<Answer> {
  const { row, info } = context
  if (info.verb === 'get') {
    const record = await tools.registry.records.get(row, info.namespace, info.name)
    if (record === undefined) throw notFoundError(row, info.name)
    rules.assertReadable?.(record.object)
    return jsonAnswer(200, rules.toScale(record.object))
  }
  const wanted = await wantedScale(tools, context, rules)
  const result = await changeObject(tools.registry, writeCallOf(context), {
    name: info.name,
    subresource: 'scale',
    next(current) {
      const scale = wanted(current!)
      checkVersion(context, scale, current!)
      const object = structuredClone(current!) as Draft<KubernetesObject>
      rules.applyScale(object, scale)
      delete object.metadata.resourceVersion
      return object
    },
  })
  return jsonAnswer(200, rules.toScale(result.object))
}

/** From the body of a PUT, or a PATCH applied to the current scale. */
async function wantedScale(
  tools: VerbTools,
  context: ResourceCall,
  rules: ScaleRules<KubernetesObject>,
): Promise<(current: KubernetesObject) => Scale> {
  if (context.info.verb === 'update') {
    const body = (await bodyObject(tools, context, subresourceBody(tools, context))) as unknown as Scale
    return () => body
  }
  const type = patchTypeOf(context.call.headers['content-type'])
  const { value: patch } = parseJsonBody(await readRequestBody(context.call.body))
  const schema = patchSchemaOf(tools.registry.schemas.tables, subresourceBody(tools, context).message)
  return (current) => {
    const scale = rules.toScale(current) as unknown as KubernetesObject
    const { resourceVersion: _, ...metadata } = scale.metadata
    return decodeSubresource<Scale>(
      tools,
      context,
      patched(() => schema, type, { ...scale, metadata }, patch),
    )
  }
}

function checkVersion({ row, info }: ResourceCall, scale: Scale, current: KubernetesObject): void {
  const asked = scale.metadata?.resourceVersion ?? ''
  if (asked !== '' && asked !== current.metadata.resourceVersion) throw conflictError(row, info.name)
}
