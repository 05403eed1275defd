// Converts bakeries between their versions, losing nothing either way.

import { group, type Bakery, type OldBakery } from './bakery.ts'

/** Throws for a version that it does not know. */
export function convert(object: Bakery | OldBakery, apiVersion: string): Bakery | OldBakery {
  if (object.apiVersion === apiVersion) return object
  if (apiVersion === `${group}/v1`) return toNew(object as OldBakery, apiVersion)
  if (apiVersion === `${group}/v1beta1`) return toOld(object as Bakery, apiVersion)
  throw new Error(`bakeries have no version ${apiVersion}`)
}

function toNew({ spec, ...rest }: OldBakery, apiVersion: string): Bakery {
  // A colon before the last slash is a registry's port.
  const colon = spec.image.indexOf(':', spec.image.lastIndexOf('/') + 1)
  const image =
    colon === -1
      ? { name: spec.image, tag: 'latest' }
      : { name: spec.image.slice(0, colon), tag: spec.image.slice(colon + 1) }
  return { ...rest, apiVersion, spec: { replicas: spec.ovens, image } }
}

function toOld({ spec, ...rest }: Bakery, apiVersion: string): OldBakery {
  return { ...rest, apiVersion, spec: { ovens: spec.replicas, image: `${spec.image.name}:${spec.image.tag}` } }
}
