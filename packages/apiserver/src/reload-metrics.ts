// How often the files that configure an API server were read again, and what came of it, under upstream's names.

import { hashOf } from './encryption/kms/protocol.ts'
import type { MetricsRegistry } from './metrics.ts'

export interface Reloads {
  readonly success: Reload
  readonly failure: Reload
  /** `sha256:…` of the content in use. */
  readonly hash: string
}

export interface Reload {
  readonly count: number
  /** Wall time; undefined where there was none. */
  readonly lastMs: number | undefined
}

const configured = ['authentication', 'authorization', 'encryption'] as const
export type ReloadSources = { readonly [Part in (typeof configured)[number]]?: () => Reloads }

const outcomes = ['success', 'failure'] as const

/** `serverId`: this server among those of its cluster, told as a hash. */
export function declareReloads(metrics: MetricsRegistry, serverId: string, sources: ReloadSources): void {
  const server = hashOf(serverId)
  for (const part of configured) {
    const read = sources[part]
    if (read === undefined) continue
    const name = (of: string): string => `apiserver_${part}_config_controller_${of}`
    metrics.gauge(
      name('automatic_reloads_total'),
      `Total number of automatic reloads of ${part} configuration split by status and apiserver identity.`,
      () =>
        outcomes
          .filter((status) => read()[status].count > 0)
          .map((status) => [{ apiserver_id_hash: server, status }, read()[status].count] as const),
      'counter',
    )
    metrics.gauge(
      name('automatic_reload_last_timestamp_seconds'),
      `Timestamp of the last automatic reload of ${part} configuration split by status and apiserver identity.`,
      () =>
        outcomes.flatMap((status) => {
          const { lastMs } = read()[status]
          return lastMs === undefined ? [] : [[{ apiserver_id_hash: server, status }, lastMs / 1000] as const]
        }),
    )
    metrics.gauge(
      name('last_config_info'),
      `Information about the last applied ${part} configuration with hash as label, split by apiserver identity.`,
      () => [[{ apiserver_id_hash: server, hash: read().hash }, 1]],
    )
  }
}
