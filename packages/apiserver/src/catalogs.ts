// The kinds of each minor, loaded once for all clusters of a server: what is compiled for one serves the others.

import { catalogOf, type Catalog } from '@aksel/api/catalog'
import { minors, type Minor } from '@aksel/api/tables'

export class Catalogs {
  readonly #byMinor = new Map<Minor, Promise<Catalog>>()

  /** With the minor's own defaults of runtime config and feature gates. Throws for a version that is not offered. */
  of(kubernetesVersion: string): Promise<Catalog> {
    const minor = minorOf(kubernetesVersion)
    let catalog = this.#byMinor.get(minor)
    if (catalog === undefined) this.#byMinor.set(minor, (catalog = catalogOf(minor)))
    return catalog
  }
}

/** `1.35` of `1.35.7`. */
export function minorOf(version: string): Minor {
  const minor = minors.find((one) => version === one || version.startsWith(`${one}.`))
  if (minor === undefined) throw new Error(`Kubernetes ${version} is not offered: there are ${minors.join(', ')}`)
  return minor
}
