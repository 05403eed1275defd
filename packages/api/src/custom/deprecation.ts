// The warning of a version that its definition calls deprecated.

import { compareVersions } from '../group-priority.ts'
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../types/apiextensions-v1.ts'

export function deprecationOf(
  { spec }: CustomResourceDefinition,
  { name, deprecated, deprecationWarning }: CustomResourceDefinitionVersion,
): string | undefined {
  if (deprecated !== true) return undefined
  if (deprecationWarning !== undefined) return deprecationWarning
  const { group, names, versions } = spec
  const newer = versions
    .filter((one) => one.served && one.deprecated !== true && compareVersions(one.name, name) < 0)
    .map((one) => one.name)
    .toSorted(compareVersions)[0]
  const words = `${group}/${name} ${names.kind} is deprecated`
  return newer === undefined ? words : `${words}; use ${group}/${newer} ${names.kind}`
}
