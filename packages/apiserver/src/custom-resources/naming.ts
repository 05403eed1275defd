// Which names of a definition are accepted: those that no other definition of its group has taken. Pure.

import { deepEqual } from '@aksel/api/deep-equal'
import type { NewCondition } from '@aksel/api/custom/definition/conditions'
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from '@aksel/api/types/apiextensions-v1'

export interface NamingVerdict {
  readonly acceptedNames: CustomResourceDefinitionNames
  readonly condition: NewCondition
}

/** `others`: the other definitions of the same group, for what they were given. */
export function judgeNames(
  { spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): NamingVerdict {
  const wanted = spec.names
  const had = status?.acceptedNames ?? { plural: '', kind: '' }
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const { status: other } of others) {
    const taken = other?.acceptedNames
    if (taken === undefined) continue
    for (const name of [taken.plural, taken.singular, ...(taken.shortNames ?? [])]) resources.add(name ?? '')
    for (const name of [taken.kind, taken.listKind]) kinds.add(name ?? '')
  }
  const given: Record<string, unknown> = { ...had }
  let conflict: { readonly reason: string; readonly message: string } | undefined
  for (const [field, reason, used] of [
    ['plural', 'PluralConflict', resources],
    ['singular', 'SingularConflict', resources],
    ['shortNames', 'ShortNamesConflict', resources],
    ['kind', 'KindConflict', kinds],
    ['listKind', 'ListKindConflict', kinds],
  ] as const) {
    const names = [wanted[field] ?? []].flat()
    const own = [had[field] ?? []].flat()
    const taken = names.filter((name) => !own.includes(name) && used.has(name))
    if (taken.length > 0) conflict = { reason, message: inUse(taken) }
    else if (!deepEqual(wanted[field], had[field])) given[field] = wanted[field]
  }
  given['categories'] = wanted.categories
  for (const key of Object.keys(given)) if (given[key] === undefined) delete given[key]
  const acceptedNames = given as unknown as CustomResourceDefinitionNames
  return conflict === undefined
    ? {
        acceptedNames,
        condition: { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
      }
    : { acceptedNames, condition: { type: 'NamesAccepted', status: 'False', ...conflict } }
}

function inUse(names: readonly string[]): string {
  const words = names.map((name) => `${JSON.stringify(name)} is already in use`)
  return words.length === 1 ? words[0]! : `[${words.join(', ')}]`
}
