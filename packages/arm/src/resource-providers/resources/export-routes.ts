// `exportTemplate` of a resource group: its resources, read as the caller may read them, as a template.

import { ArmError } from '@aksel/base/errors'
import { newestVersion } from '../../front-door/api-versions.ts'
import type { Ask } from '../../front-door/dispatcher.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json, Resource } from '../../records.ts'
import { sameId } from '../../resource-id.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { exportedTemplate, type ExportedResource } from './exported-template.ts'
import { listResources, readGroup } from './groups.ts'

/** Azure exports no more at once. */
const resourcesMax = 200

/** What lies below resources of a type and is a resource itself. */
const childTypes: Readonly<Record<string, readonly string[]>> = {
  'microsoft.containerservice/managedclusters': ['maintenanceConfigurations'],
  'microsoft.managedidentity/userassignedidentities': ['federatedIdentityCredentials'],
}

export function exportRoutes(hub: Hub, ask: Ask): readonly Route[] {
  const path = '/subscriptions/:subscription/resourcegroups/:group/exportTemplate'
  return [{ method: 'POST', path, handle: (request) => exported(hub, ask, request) }]
}

async function exported(hub: Hub, ask: Ask, request: ArmRequest): Promise<ArmResponse> {
  const ref = { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
  const group = (await readGroup(hub.store, ref)).value
  const wish = readWish(request)
  const all = await listResources(hub.store, group.id)
  const wanted = wish.ids === undefined ? all : wish.ids.map((id) => found(all, id))
  if (wanted.length > resourcesMax)
    throw new ArmError(
      400,
      'ExportTemplateTooManyResources',
      `The export of ${wanted.length} resources is not supported: it takes at most ${resourcesMax}.`,
    )
  const read = await Promise.all(wanted.map((one) => resource(ask, request, one)))
  return ok({ template: exportedTemplate(read, wish.options) })
}

interface Wish {
  /** Undefined: all of them. */
  readonly ids: readonly string[] | undefined
  readonly options: { readonly withDefaults: boolean; readonly literalNames: boolean }
}

function readWish(request: ArmRequest): Wish {
  const body = readObject(request.body)
  const resources = Array.isArray(body['resources']) ? body['resources'].map(String) : []
  const refused = (message: string): ArmError => new ArmError(400, 'InvalidExportTemplateRequest', message)
  if (resources.length === 0)
    throw refused("The request names no resources: give their ids in 'resources', or '*' for all.")
  const format = textAt(body, 'outputFormat')
  if (format !== undefined && format.toLowerCase() !== 'json')
    throw refused(`The output format '${format}' is not available here: templates are exported as Json.`)
  const options = (textAt(body, 'options') ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim())
  return {
    ids: resources.includes('*') ? undefined : resources,
    options: {
      withDefaults: options.includes('includeparameterdefaultvalue'),
      literalNames: options.includes('skipresourcenameparameterization') || options.includes('skipallparameterization'),
    },
  }
}

function found(all: readonly Resource[], id: string): Resource {
  const one = all.find((each) => sameId(each.id, id))
  if (one !== undefined) return one
  throw new ArmError(
    400,
    'InvalidExportTemplateRequest',
    `The resource '${id}' that is to be exported is not in the resource group.`,
  )
}

async function resource(ask: Ask, request: ArmRequest, { id, type }: Resource): Promise<ExportedResource> {
  const apiVersion = newestVersion(id)
  const body = await get(ask, request, `${encodeURI(id)}?api-version=${apiVersion}`)
  const lists = (childTypes[type.toLowerCase()] ?? []).map(async (child) => {
    const { value } = await get(ask, request, `${encodeURI(id)}/${child}?api-version=${apiVersion}`)
    return (Array.isArray(value) ? value : []).filter(isObject).map((each) => ({
      type: child,
      name: String(each['name']),
      properties: objectAt(each, 'properties'),
    }))
  })
  return { id, type, apiVersion, body, children: (await Promise.all(lists)).flat() }
}

async function get(ask: Ask, request: ArmRequest, url: string): Promise<Json> {
  const { origin, correlationId } = request
  const answer = await ask({ method: 'GET', url, caller: callerOf(request), origin, correlationId })
  const body = isObject(answer.body) ? answer.body : {}
  if (answer.status < 300) return body
  const error = isObject(body['error']) ? body['error'] : body
  const code = textAt(error, 'code') ?? ''
  throw new ArmError(answer.status, code, textAt(error, 'message') ?? url)
}
