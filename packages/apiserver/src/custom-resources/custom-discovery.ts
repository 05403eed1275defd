// The place of custom kinds in discovery: a source beside the built-in kinds.

import type { DiscoveredRow, ServedGroupVersion } from '@aksel/api/discovery'
import { customPriority } from '@aksel/api/group-priority'
import type { ApiSource } from '../discovery/api-source.ts'
import type { CustomKinds } from './custom-kinds.ts'
import { CustomOpenApi, type CustomOpenApiOptions } from './custom-open-api.ts'

export function customSource(kinds: CustomKinds, options: CustomOpenApiOptions): ApiSource {
  const openApi = new CustomOpenApi(kinds, options)
  return {
    get revision() {
      return String(kinds.generation)
    },
    groupVersions: () => groupVersions(kinds),
    openApiV3: () => openApi.parts(),
    openApiV2: () => openApi.versionTwo(),
  }
}

/** What one can still do with a kind whose definition goes. */
const lastVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch'] as const

function groupVersions(kinds: CustomKinds): readonly ServedGroupVersion[] {
  const rows: DiscoveredRow[] = kinds.established().flatMap((one) => {
    const isGoing = one.definition.metadata.deletionTimestamp !== undefined
    const own = one.definition.spec.versions.map(({ name }) => one.row(name)).filter((row) => row !== undefined)
    return isGoing ? own.map((row) => ({ ...row, verbs: lastVerbs })) : own
  })
  const grouped = Map.groupBy(rows, ({ group, version }) => `${group}/${version}`)
  return [...grouped.values()].map((own) => {
    const { group, version } = own[0]!
    return { group, version, priority: customPriority, rows: own, freshness: 'Current' as const }
  })
}
