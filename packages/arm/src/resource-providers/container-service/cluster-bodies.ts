// Bodies of clusters as they were made last, given again while neither the cluster nor a pool was written nor its control plane says
// something else. Records are shared read-only from one read to the next, so that what is unchanged is the same object.

import type { BodyBytes } from '../../front-door/body-bytes.ts'
import type { ClusterRecord, Json, PoolRecord } from '../../records.ts'
import { clusterBody, type Seen } from './bodies.ts'

interface Known extends Seen {
  readonly pools: readonly PoolRecord[]
  readonly body: Json
}

export class ClusterBodies {
  readonly #bytes: BodyBytes
  readonly #known = new WeakMap<ClusterRecord, Known>()

  constructor(bytes: BodyBytes) {
    this.#bytes = bytes
  }

  of(cluster: ClusterRecord, pools: readonly PoolRecord[], seen: Seen = {}): Json {
    const known = this.#known.get(cluster)
    if (known !== undefined && isSame(known, pools, seen)) return known.body
    const body = clusterBody(cluster, pools, seen)
    const { failure, kubernetesVersion } = seen
    this.#known.set(cluster, {
      pools,
      body,
      ...(failure === undefined ? {} : { failure }),
      ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }),
    })
    this.#bytes.keep(body)
    return body
  }
}

function isSame(known: Known, pools: readonly PoolRecord[], seen: Seen): boolean {
  return (
    known.failure === seen.failure &&
    known.kubernetesVersion === seen.kubernetesVersion &&
    known.pools.length === pools.length &&
    known.pools.every((pool, index) => pool === pools[index])
  )
}
