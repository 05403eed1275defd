// Older versions of a kind beside its stored one: served from the same place in the store, converted field by field.
// Versions whose fields have the same names and meanings need nothing more; the few that differ have a conversion here.

import type { Draft } from '@aksel/base/draft'
import type { KindRules } from './kind-row.ts'
import { compareVersions } from './group-priority.ts'
import type { ResourceFact } from './complete-row.ts'
import { groupVersionOf, type KubernetesObject } from './resource.ts'
import type { Schemas } from './schema.ts'
import type { ApiTables, KindFact } from './tables.ts'

type Json = Record<string, unknown>

/** The version that a kind is stored in, where it is not this one: the stablest of the minor. */
export function storageSisterOf(tables: ApiTables, fact: ResourceFact): KindFact | undefined {
  const sisters = tables.kinds.filter(({ group, plural }) => group === fact.group && plural === fact.plural)
  const best = sisters.toSorted((a, b) => compareVersions(a.version, b.version))[0]!
  return best.version === fact.version ? undefined : best
}

/** The rules of `stored` for its sister `fact`: every hook sees its object as it is, for the names are the same. */
export function sisterRules(
  schemas: Schemas,
  fact: ResourceFact,
  stored: KindFact,
  rules: KindRules | undefined,
): KindRules {
  const shape = shapes[`${fact.group}/${fact.version}`]
  const convert = (object: object, to: KindFact, reshape: ((object: Json) => void) | undefined) => {
    const copy = structuredClone(object) as Json
    reshape?.(copy)
    const { value } = schemas.get(to.msg).decode({ ...copy, apiVersion: groupVersionOf(to), kind: to.kind })
    return value as unknown as Draft<KubernetesObject>
  }
  // Rules are written against the stored shape; where the shapes differ, only those on metadata hold.
  const common: Partial<KindRules> = { ...rules }
  if (shape !== undefined) {
    delete common.validateCreate
    delete common.validateUpdate
  }
  return {
    ...common,
    group: fact.group,
    version: fact.version,
    kind: fact.kind,
    storedAs: {
      groupVersion: groupVersionOf(stored),
      kind: stored.kind,
      toStored: (object) => convert(object, stored, shape?.up),
      fromStored: (object) => convert(object, fact as KindFact, shape?.down),
    },
  }
}

interface Reshaping {
  /** To the stored version, and back. */
  readonly up: (object: Json) => void
  readonly down: (object: Json) => void
}

/** resource.k8s.io/v1beta1 keeps a device's fields below `basic` and has no `exactly` in a request. */
const resourceBeta1: Reshaping = {
  up(object) {
    for (const device of devicesOf(object)) {
      const { basic } = device as { readonly basic?: Json }
      delete device['basic']
      Object.assign(device, basic)
    }
    for (const request of requestsOf(object)) {
      const { name, firstAvailable, ...exactly } = request
      for (const key of Object.keys(exactly)) delete request[key]
      if (firstAvailable === undefined) request['exactly'] = exactly
      else Object.assign(request, { name, firstAvailable })
    }
  },
  down(object) {
    for (const device of devicesOf(object)) {
      const { name: _, ...basic } = device
      for (const key of Object.keys(basic)) delete device[key]
      device['basic'] = basic
    }
    for (const request of requestsOf(object)) {
      const { exactly } = request as { readonly exactly?: Json }
      delete request['exactly']
      Object.assign(request, exactly)
    }
  },
}

const shapes: Readonly<Record<string, Reshaping>> = { 'resource.k8s.io/v1beta1': resourceBeta1 }

function devicesOf({ spec }: Json): readonly Json[] {
  return (spec as { readonly devices?: readonly Json[] } | undefined)?.devices instanceof Array
    ? (spec as { readonly devices: readonly Json[] }).devices
    : []
}

/** Of a claim, and of a template's claim. */
function requestsOf({ spec }: Json): readonly Json[] {
  const outer = spec as { readonly devices?: Json; readonly spec?: { readonly devices?: Json } } | undefined
  const requests = (outer?.devices ?? outer?.spec?.devices)?.['requests']
  return Array.isArray(requests) ? (requests as readonly Json[]) : []
}
