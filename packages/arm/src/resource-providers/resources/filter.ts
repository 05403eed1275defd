// The small part of OData that lists of resources are asked with: equalities joined by `and`.

import { ArmError } from '@aksel/base/errors'
import { groupOfId } from '../../resource-id.ts'
import type { Resource } from '../../records.ts'

export interface Condition {
  readonly field: 'resourcegroup' | 'resourcetype' | 'name' | 'location' | 'tagname' | 'tagvalue'
  readonly value: string
}

const fields = ['resourcegroup', 'resourcetype', 'name', 'location', 'tagname', 'tagvalue'] as const

/** Throws InvalidFilterInQueryString on anything that is not an equality of a known field. */
export function parseFilter(text: string | undefined): readonly Condition[] {
  if (text === undefined || text.trim() === '') return []
  return text.split(/\s+and\s+/i).map((part) => {
    const match = /^\s*\(?\s*(\w+)\s+eq\s+'([^']*)'\s*\)?\s*$/i.exec(part)
    const field = fields.find((known) => known === match?.[1]?.toLowerCase())
    if (match === null || field === undefined) {
      throw new ArmError(400, 'InvalidFilterInQueryString', `Invalid $filter '${text}' specified in the query string.`)
    }
    return { field, value: match[2]! }
  })
}

export function matchesFilter(resource: Resource, conditions: readonly Condition[]): boolean {
  return conditions.every((condition) => matches(resource, condition))
}

function matches(resource: Resource, { field, value }: Condition): boolean {
  const same = (text: string | undefined): boolean => text?.toLowerCase() === value.toLowerCase()
  switch (field) {
    case 'resourcegroup':
      return same(groupOfId(resource.id)?.resourceGroup)
    case 'resourcetype':
      return same(resource.type)
    case 'name':
      return same(resource.name)
    case 'location':
      return same(resource.location)
    case 'tagname':
      return Object.keys(resource.tags ?? {}).some(same)
    case 'tagvalue':
      return Object.values(resource.tags ?? {}).some((text) => text === value)
    default:
      return field satisfies never
  }
}
