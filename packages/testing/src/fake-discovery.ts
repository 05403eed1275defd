// Discovery documents of the kinds that a fake client has seen.

import { groupVersionOf } from '@aksel/api/resource'
import type { ResourceType } from '@aksel/api/resource'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** The answer to `/api`, `/apis`, `/api/v1` and `/apis/GROUP/VERSION`; undefined for anything else. */
export function discoveryOf(types: readonly ResourceType[], path: string): unknown {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(types) }
  const match = /^\/api(?:s\/([^/]+))?\/([^/]+)$/.exec(path)
  if (match === null) return undefined
  const groupVersion = match[1] === undefined ? match[2]! : `${match[1]}/${match[2]!}`
  const found = types.filter((type) => groupVersionOf(type) === groupVersion)
  if (found.length === 0 && groupVersion !== 'v1') return undefined
  const resources = found.map(({ plural, kind, namespaced }) => ({
    name: plural,
    singularName: '',
    kind,
    namespaced,
    verbs,
  }))
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}

function groupsOf(types: readonly ResourceType[]): readonly unknown[] {
  const names = new Set(types.map(({ group }) => group).filter((group) => group !== ''))
  return [...names].map((name) => {
    const versions = [...new Set(types.filter(({ group }) => group === name).map(({ version }) => version))]
    const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions: entries, preferredVersion: entries[0] }
  })
}
