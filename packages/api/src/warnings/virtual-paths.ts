// Files of a volume that would lie on top of each other: the later one wins, which is seldom what was meant.

import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { Volume, VolumeProjection } from '../types/core-v1.ts'

interface WithPath {
  readonly path: string
}

/** Every path is compared with all before it, and a body holds a hundred thousand: beyond so many looks nobody is warned any more. */
const LOOKS_MAX = 100_000

interface Patience {
  looksLeft: number
}

export function overlapWarnings(volumes: readonly Volume[]): readonly string[] {
  const patience: Patience = { looksLeft: LOOKS_MAX }
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const among = (items: readonly WithPath[] | undefined, what: string): readonly string[] =>
      overlaps(patience, pathsOf(items), `volume "${name}" (${what}): overlapping paths`)
    return [
      ...among(configMap?.items, `ConfigMap "${configMap?.name ?? ''}"`),
      ...among(secret?.items, `Secret "${secret?.secretName ?? ''}"`),
      ...among(downwardAPI?.items, 'DownwardAPI'),
      ...projectedWarnings(patience, name, projected?.sources ?? []),
    ]
  })
}

function pathsOf(items: readonly WithPath[] | undefined): readonly string[] {
  return (items ?? []).map(({ path }) => path)
}

function projectedWarnings(
  patience: Patience,
  volume: string,
  sources: readonly VolumeProjection[],
): readonly string[] {
  const before = new Set<string>()
  return sources.flatMap((source) => {
    if (patience.looksLeft <= 0) return []
    if (Object.keys(source).length === 0) return [`volume "${volume}" (Projected) has no sources provided`]
    const { paths, shown } = describe(source)
    if (paths.length === 0) return []
    const words = `volume "${volume}" (Projected ${shown}): overlapping paths`
    const own = [...new Set(paths)]
    const found = [...overlaps(patience, paths, words), ...overlaps(patience, [...own, ...before].toSorted(), words)]
    for (const path of own) before.add(path)
    return found
  })
}

function describe(source: VolumeProjection): { readonly paths: readonly string[]; readonly shown: string } {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle: bundle } = source
  if (configMap?.items !== undefined)
    return { paths: pathsOf(configMap.items), shown: `ConfigMap "${configMap.name ?? ''}"` }
  if (secret?.items !== undefined) return { paths: pathsOf(secret.items), shown: `Secret "${secret.name ?? ''}"` }
  if (downwardAPI?.items !== undefined) return { paths: pathsOf(downwardAPI.items), shown: 'DownwardAPI' }
  if (serviceAccountToken !== undefined) return { paths: [serviceAccountToken.path], shown: 'ServiceAccountToken' }
  if (bundle !== undefined)
    return { paths: [bundle.path], shown: `ClusterTrustBundle "${bundle.name ?? bundle.signerName ?? ''}"` }
  return { paths: [], shown: '' }
}

function overlaps(patience: Patience, paths: readonly string[], words: string): readonly string[] {
  const seen = new Set<string>()
  return paths.flatMap((raw) => {
    if (patience.looksLeft <= 0) return []
    patience.looksLeft -= seen.size
    const path = withoutTrailingSlashes(raw)
    const other = seen.values().find((one) => covers(one, path) || covers(path, one))
    seen.add(path)
    return other === undefined ? [] : [`${words}: "${path}" with "${other}"`]
  })
}

/** As upstream compares them: by their beginnings, so that `a` and `ab` meet too. */
function covers(path: string, other: string): boolean {
  return path !== '' && other !== '' && `${other}/`.startsWith(path)
}
