// A cluster's store with its sealed kinds opened, for who changes records while no server of the cluster runs: a fork is cut off
// from its original before it starts.

import { catalogOf } from '@aksel/api/catalog'
import type { Clock } from '@aksel/base/clock'
import type { Random } from '@aksel/base/ids'
import type { Store } from '@aksel/store/store'
import { minorOf } from '../catalogs.ts'
import type { Encryption } from './encryption.ts'
import { MetricsRegistry } from '../metrics.ts'
import { SealedStore } from './sealed-store.ts'

/** Closing it closes the store below: whoever opened that does so. Reads throw InternalError where a key is gone. */
export async function openedStore(parts: {
  readonly store: Store
  readonly keyPrefix: string
  readonly kubernetesVersion: string
  readonly random: Random
  readonly clock: Clock
  readonly encryption: Encryption | undefined
}): Promise<Store> {
  const { store, keyPrefix, kubernetesVersion, random, clock, encryption } = parts
  if (encryption === undefined) return store
  const { rows } = await catalogOf(minorOf(kubernetesVersion))
  return new SealedStore({ store, keyPrefix, rows, random, clock, metrics: new MetricsRegistry() }, encryption)
}
