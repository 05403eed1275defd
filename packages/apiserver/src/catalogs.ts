// The kinds of each minor, loaded once for all clusters of a server that switch the same on and off: what is compiled for one
// serves the others.

import { catalogOf, type Catalog, type CatalogOptions } from '@aksel/api/catalog'
import { minors, type Minor } from '@aksel/api/tables'

export class Catalogs {
  readonly #known = new Map<string, Promise<Catalog>>()

  /** With the minor's own defaults of runtime config and feature gates where none are given. Throws for a version that is not offered. */
  of(kubernetesVersion: string, { runtimeConfig, featureGates }: CatalogOptions = {}): Promise<Catalog> {
    const minor = minorOf(kubernetesVersion)
    const key = [minor, sorted(runtimeConfig), sorted(featureGates)].join(' ')
    let catalog = this.#known.get(key)
    if (catalog === undefined) {
      catalog = catalogOf(minor, {
        ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
        ...(featureGates === undefined ? {} : { featureGates }),
      })
      this.#known.set(key, catalog)
    }
    return catalog
  }
}

function sorted(switches: Readonly<Record<string, boolean>> = {}): string {
  return Object.entries(switches)
    .map(([name, isOn]) => `${name}=${isOn}`)
    .toSorted()
    .join()
}

/** `1.35` of `1.35.7`. */
export function minorOf(version: string): Minor {
  const minor = minors.find((one) => version === one || version.startsWith(`${one}.`))
  if (minor === undefined) throw new Error(`Kubernetes ${version} is not offered: there are ${minors.join(', ')}`)
  return minor
}
