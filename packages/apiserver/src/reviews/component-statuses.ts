// componentstatuses: the parts of the control plane, asked at the moment of reading. Nothing of it is stored.

import type { KubernetesObject } from '@aksel/api/resource'
import type { ResourceCall } from '../call-context.ts'
import type { HealthCheck } from '../health.ts'
import { bytesAnswer, jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { encodeJson } from '@aksel/base/json'
import { notFoundError } from '../refusals.ts'
import { presentObject } from '../registry/present.ts'
import { parseLabelSelector } from '../registry/label-selector.ts'
import { meetsFields, parseFieldSelector } from '../registry/selectors.ts'
import { columnDefinitions, tableRow } from '../registry/table.ts'
import { presentationOf } from '../registry/verbs.ts'
import type { ReviewHandler } from './reviews.ts'

const deprecation = 'v1 ComponentStatus is deprecated in v1.19+'

export function componentStatuses(components: readonly HealthCheck[]): ReviewHandler {
  return async (tools, context): Promise<Answer> => {
    const { row, info, warnings } = context
    const how = presentationOf(tools, context)
    warnings.add(deprecation)
    const { contentType } = how.negotiated
    if (info.name !== '') {
      const component = components.find(({ name }) => name === info.name)
      if (component === undefined) throw notFoundError(row, info.name)
      const object = await statusOf(component)
      return bytesAnswer(
        200,
        contentType,
        presentObject(row, how, object, () => encodeJson(object)),
      )
    }
    const selected = chosen(context)
    const objects = (await Promise.all(components.map(statusOf))).filter(selected)
    if (how.negotiated.form === 'object')
      return jsonAnswer(200, { kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items: objects })
    const rows = objects.map((object) => tableRow(row, object, how.nowMs, how.includeObject))
    const table = {
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: {},
      columnDefinitions: columnDefinitions(row),
      rows,
    }
    return bytesAnswer(200, contentType, encodeJson(table))
  }
}

async function statusOf(component: HealthCheck): Promise<KubernetesObject> {
  const { name } = component
  const problem = await component.check()
  const condition = { type: 'Healthy', status: problem === undefined ? 'True' : 'False', message: problem ?? 'ok' }
  const object = { kind: 'ComponentStatus', apiVersion: 'v1', metadata: { name }, conditions: [condition] }
  return object
}

/** Labels and names can be selected on, as everywhere. */
function chosen({ info }: ResourceCall): (object: KubernetesObject) => boolean {
  const labels = parseLabelSelector(info.query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(info.query.get('fieldSelector') ?? '')
  return ({ metadata }) =>
    (labels === undefined || labels(metadata.labels)) && meetsFields(fields, { 'metadata.name': metadata.name })
}
