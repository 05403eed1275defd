// The variables by which containers have found services since before there was DNS: `SHOP_API_SERVICE_HOST` and friends.

import type { Service } from '@aksel/api/types/core-v1'

/** Services of the pod's namespace, and `kubernetes` of the default one, which every pod gets. */
export function serviceEnv(
  services: readonly Service[],
  pod: { readonly namespace: string; readonly enableServiceLinks: boolean },
): ReadonlyMap<string, string> {
  const wanted = services
    .filter(({ metadata, spec }) => {
      if (spec?.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None') return false
      if (metadata.namespace === 'default' && metadata.name === 'kubernetes') return true
      return pod.enableServiceLinks && metadata.namespace === pod.namespace
    })
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
  return new Map(wanted.flatMap(variablesOf))
}

function variablesOf({ metadata, spec }: Service): readonly (readonly [string, string])[] {
  const prefix = upper(metadata.name)
  const host = spec!.clusterIP!
  const ports = spec!.ports ?? []
  const first = ports[0]
  if (first === undefined) return [[`${prefix}_SERVICE_HOST`, host]]
  const named = ports.filter(({ name }) => name !== undefined && name !== '')
  return [
    [`${prefix}_SERVICE_HOST`, host],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...named.map(({ name, port }) => [`${prefix}_SERVICE_PORT_${upper(name!)}`, String(port)] as const),
    ...ports.flatMap(({ port, protocol = 'TCP' }, index) => linkVariables(prefix, host, port, protocol, index === 0)),
  ]
}

/** As Docker's links were. */
function linkVariables(
  prefix: string,
  host: string,
  port: number,
  protocol: string,
  isFirst: boolean,
): readonly (readonly [string, string])[] {
  const lower = protocol.toLowerCase()
  const url = `${lower}://${host}:${port}`
  const base = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
  return [
    ...(isFirst ? [[`${prefix}_PORT`, url] as const] : []),
    [base, url],
    [`${base}_PROTO`, lower],
    [`${base}_PORT`, String(port)],
    [`${base}_ADDR`, host],
  ]
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll('-', '_')
}
