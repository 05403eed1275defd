// What a resource group, a location and tags may be, in Azure's words.

import { ArmError } from '@aksel/base/errors'
import { isRegion, regions } from '../../regions.ts'
import { normalLocation } from '../../resource-id.ts'
import type { Tags } from '../../records.ts'
import { contentInvalid } from '../../azure-errors.ts'

export function judgeGroupName(name: string): void {
  if (name.length > 90) {
    throw invalidGroup(
      `The provided resource group name '${name}' has a length of '${name.length}' which exceeds the maximum length of '90'.`,
    )
  }
  const wrong = [...new Set(name.replaceAll(/[\p{L}\p{Nd}\-._()]/gu, ''))]
  if (wrong.length > 0) {
    throw invalidGroup(
      `The provided resource group name '${name}' has these invalid characters: '${wrong.join('')}'. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.`,
    )
  }
  if (name.endsWith('.')) throw invalidGroup(`The provided resource group name '${name}' ends with a period.`)
}

/** The normal form of a location that a group may have. */
export function readGroupLocation(value: unknown, group: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new ArmError(400, 'LocationRequired', 'The location property is required for this definition.')
  }
  const location = normalLocation(value)
  if (isRegion(location)) return location
  throw new ArmError(
    400,
    'LocationNotAvailableForResourceGroup',
    `The provided location '${value}' is not available for resource group '${group}'. List of available regions is '${regionNames()}'.`,
  )
}

/** The normal form of a location that a resource of the type may have. */
export function readLocation(value: unknown, type: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new ArmError(400, 'LocationRequired', 'The location property is required for this definition.')
  }
  const location = normalLocation(value)
  if (isRegion(location)) return location
  throw new ArmError(
    400,
    'LocationNotAvailableForResourceType',
    `The provided location '${value}' is not available for resource type '${type}'. List of available regions for the resource type is '${regionNames()}'.`,
  )
}

/** Tags as a map of strings; undefined where there are none. */
export function readTags(value: unknown): Tags | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value))
    throw contentInvalid("The 'tags' property must be an object of strings")
  const entries = Object.entries(value)
  if (entries.length > 50) {
    throw new ArmError(
      400,
      'TooManyTags',
      `The number of tags '${entries.length}' exceeds the maximum of '50' on a resource.`,
    )
  }
  for (const [name, text] of entries) judgeTag(name, text)
  return Object.fromEntries(entries) as Tags
}

function judgeTag(name: string, value: unknown): void {
  if (typeof value !== 'string') throw contentInvalid(`The value of tag '${name}' must be a string`)
  if (name.length > 512 || /[<>%&\\?/]/.test(name)) {
    throw new ArmError(
      400,
      'InvalidTagName',
      `The tag name '${name}' is longer than 512 characters or holds one of these reserved characters: <,>,%,&,\\,?,/.`,
    )
  }
  if (value.length > 256) {
    throw new ArmError(
      400,
      'InvalidTagValueLength',
      `The tag '${name}' has a value of '${value.length}' characters, more than the maximum of '256'.`,
    )
  }
}

function invalidGroup(message: string): ArmError {
  return new ArmError(400, 'InvalidResourceGroup', message)
}

function regionNames(): string {
  return regions.map(({ name }) => name).join(',')
}
