// `ingressProfile` of a cluster: which part of application routing is wanted, what may not be, and putting it in place.

import { invalidParameter } from '../../azure-errors.ts'
import { isObject } from '../body.ts'
import type { ClusterProperties, ClusterRecord } from '../../records.ts'
import { engineId, type Pass } from './pass.ts'

export interface ApplicationRoutingWish {
  readonly ingress: boolean
  readonly gatewayDefinitions: boolean
  readonly gatewayClass: boolean
}

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value)

/** Undefined for a cluster that never spoke of it. */
export function applicationRoutingOf(properties: ClusterProperties): ApplicationRoutingWish | undefined {
  const profile = properties['ingressProfile']
  if (!isObject(profile)) return undefined
  return {
    ingress: at(profile, 'webAppRouting', 'enabled') === true,
    gatewayDefinitions: at(profile, 'gatewayAPI', 'installation') === 'Standard',
    gatewayClass: at(profile, 'webAppRouting', 'gatewayAPIImplementations', 'appRoutingIstio', 'mode') === 'Enabled',
  }
}

/** Throws InvalidParameter for what AKS refuses. */
export function judgeApplicationRouting(properties: ClusterProperties): void {
  const profile = properties['ingressProfile']
  const mode = at(profile, 'webAppRouting', 'gatewayAPIImplementations', 'appRoutingIstio', 'mode')
  const installation = at(profile, 'gatewayAPI', 'installation')
  oneOf('webAppRouting.gatewayAPIImplementations.appRoutingIstio.mode', mode, ['Enabled', 'Disabled'])
  oneOf('gatewayAPI.installation', installation, ['Standard', 'Disabled'])
  if (mode === 'Enabled' && installation !== 'Standard') {
    const name = 'ingressProfile.webAppRouting.gatewayAPIImplementations.appRoutingIstio.mode'
    throw invalidParameter(
      name,
      'appRoutingIstio needs the managed Gateway API: set ingressProfile.gatewayAPI.installation to Standard',
    )
  }
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.some((each) => each === value)) return
  const why = `'${typeof value === 'string' ? value : JSON.stringify(value)}' is not one of the allowed values: ${allowed.join(', ')}`
  throw invalidParameter(`ingressProfile.${name}`, why)
}

/** Once for each content in each process; nodes are there by then, since its proxies run on them. */
export async function ensureApplicationRouting(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const wish = applicationRoutingOf(cluster.properties)
  const install = pass.suppliers.applicationRouting
  if (wish === undefined || install === undefined) return
  const id = engineId(cluster)
  const text = JSON.stringify(wish)
  if (pass.seen.routing.get(id) === text) return
  pass.tell(id, `Installing application routing in ${cluster.name}`)
  await install(pass.scope, { id, client: pass.suppliers.engine.client(id), wish })
  pass.seen.routing.set(id, text)
}
