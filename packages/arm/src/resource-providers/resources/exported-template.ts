// A template out of resources as they stand: what only the service says is left out, names become parameters, and ids of what is
// exported beside become references. Pure.

import type { Json } from '../../records.ts'
import { isObject } from '../body.ts'

export interface ExportedResource {
  readonly id: string
  /** `Microsoft.Network/virtualNetworks`. */
  readonly type: string
  readonly apiVersion: string
  readonly body: Json
  /** Resources below it, each with a type and a name of one part more. */
  readonly children: readonly { readonly type: string; readonly name: string; readonly properties: Json }[]
}

export interface ExportOptions {
  /** Parameters have the names of today as defaults. */
  readonly withDefaults: boolean
  /** Names stand in the template themselves. */
  readonly literalNames: boolean
}

/** Told by the service, wherever they stand. */
const told: ReadonlySet<string> = new Set([
  'accountId',
  'aksel',
  'azurePortalFQDN',
  'createdDate',
  'creationDate',
  'currentKubernetesVersion',
  'currentOrchestratorVersion',
  'customerId',
  'defaultSecurityRules',
  'eTag',
  'effectiveOutboundIPs',
  'etag',
  'fqdn',
  'identityProfile',
  'immutableId',
  'ipConfigurations',
  'issuerURL',
  'loginServer',
  'maxAgentPools',
  'networkInterfaces',
  'nodeImageVersion',
  'powerState',
  'privateFQDN',
  'provisioningState',
  'resourceGuid',
  'resourceUID',
  'vaultUri',
])

/** Told of some types alone: elsewhere the same names are the writer's. */
const toldOf: Readonly<Record<string, readonly string[]>> = {
  'microsoft.managedidentity/userassignedidentities': ['tenantId', 'principalId', 'clientId'],
  'microsoft.network/networksecuritygroups': ['subnets'],
  'microsoft.network/routetables': ['subnets'],
  'microsoft.network/natgateways': ['subnets'],
  'microsoft.network/publicipaddresses': ['ipAddress', 'ipConfiguration', 'natGateway'],
  'microsoft.dashboard/grafana': ['endpoint'],
}

/** Of tags every name is the writer's. */
const nothing: ReadonlySet<string> = new Set()

const envelope = ['sku', 'kind', 'zones', 'tags', 'identity'] as const

export function exportedTemplate(resources: readonly ExportedResource[], options: ExportOptions): Json {
  const names = new Names(resources, options)
  return {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    parameters: names.parameters,
    variables: {},
    resources: resources.flatMap((one) => [declared(one, names), ...childrenOf(one, names)]),
  }
}

function declared(one: ExportedResource, names: Names): Json {
  const { type, apiVersion, body, id } = one
  const own = new Set([...told, ...(toldOf[type.toLowerCase()] ?? [])])
  const needs = new Set<string>()
  const cleaning = { own, names, needs, id }
  const properties = cleaned(body['properties'] ?? {}, cleaning)
  const more = envelope.flatMap((name) => {
    const value = body[name]
    if (value === undefined) return []
    return [
      [name, name === 'identity' ? identityOf(value, names, needs) : cleaned(value, { ...cleaning, own: nothing })],
    ]
  })
  needs.delete(id.toLowerCase())
  return {
    type,
    apiVersion,
    name: names.expressionOf(one),
    location: body['location'],
    ...(needs.size === 0 ? {} : { dependsOn: [...needs].map((each) => `[${names.referenceTo(each)}]`) }),
    ...(Object.fromEntries(more) as Json),
    properties,
  }
}

function childrenOf(one: ExportedResource, names: Names): readonly Json[] {
  return one.children.map(({ type, name, properties }) => ({
    type: `${one.type}/${type}`,
    apiVersion: one.apiVersion,
    name: names.expressionOf(one, name),
    dependsOn: [`[${names.referenceTo(one.id.toLowerCase())}]`],
    properties: cleaned(properties, { own: told, names, needs: new Set(), id: one.id }),
  }))
}

/** Who the identity is, the service says; which one is used, the writer. */
function identityOf(value: unknown, names: Names, needs: Set<string>): unknown {
  if (!isObject(value)) return value
  const { type, userAssignedIdentities } = value
  if (!isObject(userAssignedIdentities)) return { type }
  const used = Object.keys(userAssignedIdentities).map((id) => [names.textOf(id, needs), {}])
  return { type, userAssignedIdentities: Object.fromEntries(used) as Json }
}

interface Cleaning {
  readonly own: ReadonlySet<string>
  readonly names: Names
  /** Grows by what the value refers to. */
  readonly needs: Set<string>
  readonly id: string
}

function cleaned(value: unknown, cleaning: Cleaning): unknown {
  if (typeof value === 'string') return cleaning.names.textOf(value, cleaning.needs)
  if (Array.isArray(value)) return value.map((item) => cleaned(item, cleaning))
  if (!isObject(value)) return value
  // Children that stand in their parent's properties bring ids of their own.
  const isChild =
    typeof value['id'] === 'string' && value['id'].toLowerCase().startsWith(`${cleaning.id.toLowerCase()}/`)
  const entries = Object.entries(value).filter(
    ([name]) => !cleaning.own.has(name) && !(isChild && (name === 'id' || name === 'type')),
  )
  return Object.fromEntries(entries.map(([name, each]) => [name, cleaned(each, cleaning)]))
}

class Names {
  readonly parameters: Json
  readonly #byId: ReadonlyMap<string, { readonly type: string; readonly name: string }>

  constructor(resources: readonly ExportedResource[], { withDefaults, literalNames }: ExportOptions) {
    const named = resources.map(({ id, type, body }) => {
      const own = String(body['name'])
      const parameter = `${type.split('/').at(-1)}_${own.replaceAll(/\W/g, '_')}_name`
      return { id: id.toLowerCase(), type, own, parameter }
    })
    this.parameters = literalNames
      ? {}
      : Object.fromEntries(
          named.map(({ parameter, own }) => [
            parameter,
            { type: 'String', ...(withDefaults ? { defaultValue: own } : {}) },
          ]),
        )
    this.#byId = new Map(
      named.map(({ id, type, own, parameter }) => [
        id,
        { type, name: literalNames ? `'${quoted(own)}'` : `parameters('${parameter}')` },
      ]),
    )
  }

  expressionOf({ id }: ExportedResource, child?: string): string {
    const { name } = this.#byId.get(id.toLowerCase())!
    return child === undefined ? `[${name}]` : `[concat(${name}, '/${quoted(child)}')]`
  }

  /** An expression without its brackets. */
  referenceTo(id: string): string {
    const { type, name } = this.#byId.get(id)!
    return `resourceId('${type}', ${name})`
  }

  /** A text as it stands in a template: what names an exported resource, or something below one, refers to it. */
  textOf(text: string, needs: Set<string>): string {
    const lower = text.toLowerCase()
    for (const id of this.#byId.keys()) {
      if (lower !== id && !lower.startsWith(`${id}/`)) continue
      needs.add(id)
      const rest = text.slice(id.length)
      return rest === '' ? `[${this.referenceTo(id)}]` : `[concat(${this.referenceTo(id)}, '${quoted(rest)}')]`
    }
    return text.startsWith('[') ? `[${text}` : text
  }
}

const quoted = (text: string): string => text.replaceAll("'", "''")
