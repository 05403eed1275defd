// What the reconciler is doing for a cluster and for each of its pools right now, in words: shown while an operation runs, kept nowhere.

interface Told {
  /** Of the cluster or any of its pools. */
  readonly latest: string
  readonly ofPools: ReadonlyMap<string, string>
}

export class Steps {
  readonly #clusters = new Map<string, Told>()

  /** Of a cluster or a pool. */
  set(resourceId: string, step: string): void {
    const { cluster, pool } = idsOf(resourceId)
    const ofPools = this.#clusters.get(cluster)?.ofPools ?? new Map<string, string>()
    this.#clusters.set(cluster, {
      latest: step,
      // What was told of a pool is over when the cluster as a whole is worked on: it may be of an operation before.
      ofPools: pool === undefined ? new Map() : new Map(ofPools).set(pool, step),
    })
  }

  clear(clusterId: string): void {
    this.#clusters.delete(clusterId.toLowerCase())
  }

  /** A pool's own; of a cluster, and of a pool for which nothing was done yet, what was told last. */
  of(resourceId: string): string | undefined {
    const { cluster, pool } = idsOf(resourceId)
    const told = this.#clusters.get(cluster)
    return (pool === undefined ? undefined : told?.ofPools.get(pool)) ?? told?.latest
  }
}

function idsOf(resourceId: string): { readonly cluster: string; readonly pool: string | undefined } {
  const id = resourceId.toLowerCase()
  const cluster = id.replace(/\/agentpools\/[^/]+$/, '')
  return { cluster, pool: cluster === id ? undefined : id }
}
