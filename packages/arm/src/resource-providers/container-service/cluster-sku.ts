// A cluster's SKU and tier: what they are after a write, and what they ask for in the writer's name. Pure.

import { invalidParameter } from '../../azure-errors.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { isObject, textAt } from '../body.ts'
import { automaticDefaults, isAutomatic, movedToAutomatic } from './automatic.ts'

export function skuAfter(value: unknown, current: ClusterRecord | undefined): Json {
  if (!isObject(value)) return current?.sku ?? { name: 'Base', tier: 'Free' }
  return { ...current?.sku, ...skuOf(value, current) }
}

/** What the writer asks for, with what the SKU asks for in his name. */
export function askedOf(sku: Json, given: Json, current: ClusterRecord | undefined): Json {
  if (!isAutomatic({ sku })) return given
  if (current === undefined) return mergedInto(automaticDefaults(), given)
  if (isAutomatic(current)) return given
  const { networkProfile: _, ...standing } = current.properties
  return movedToAutomatic({ ...standing, ...given })
}

function mergedInto(defaults: Json, given: Json): Json {
  const entries = Object.entries(given).map(([name, value]) => {
    const standard = defaults[name]
    return [name, isObject(value) && isObject(standard) ? mergedInto(standard, value) : value]
  })
  return { ...defaults, ...(Object.fromEntries(entries) as Json) }
}

/** Long-term support and the tier Premium come together. */
export function judgeTier({ tier }: Json, { supportPlan }: Json): void {
  const isLongTerm = supportPlan === 'AKSLongTermSupport'
  if ((tier === 'Premium') === isLongTerm) return
  throw invalidParameter(
    isLongTerm ? 'sku.tier' : 'supportPlan',
    isLongTerm
      ? "support plan 'AKSLongTermSupport' needs the tier 'Premium'"
      : "the tier 'Premium' needs the support plan 'AKSLongTermSupport'",
  )
}

function skuOf(value: Json, current: ClusterRecord | undefined): Json {
  const standard = value['name'] === 'Automatic' ? 'Standard' : (textAt(current?.sku ?? {}, 'tier') ?? 'Free')
  const { name = 'Base', tier = standard } = value as {
    readonly name?: string
    readonly tier?: string
  }
  if (!['Base', 'Automatic', 'Basic'].includes(name))
    throw invalidParameter('sku.name', `'${name}' is not one of the allowed values: Base, Automatic`)
  if (!['Free', 'Standard', 'Premium', 'Paid'].includes(tier))
    throw invalidParameter('sku.tier', `'${tier}' is not one of the allowed values: Free, Standard, Premium`)
  return { ...value, name: name === 'Basic' ? 'Base' : name, tier: tier === 'Paid' ? 'Standard' : tier }
}
