// The kinds that CustomResourceDefinitions make, for owners and what they own: each in the best of its served versions.

import { compareVersions } from '@aksel/api/group-priority'
import type { ResourceType } from '@aksel/api/resource'
import { customResourceDefinitions } from '@aksel/api/resources'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import type { Caches } from '@aksel/runtime/controller'
import type { KindSource } from './kinds.ts'

export function customKindSource(caches: Caches): KindSource {
  return {
    list: () => caches.of(customResourceDefinitions).list().flatMap(typesOf),
    subscribe: (onChange) => caches.of(customResourceDefinitions).subscribe(() => onChange()),
  }
}

export function typesOf({ spec, status }: CustomResourceDefinition): readonly ResourceType[] {
  if (!(status?.conditions ?? []).some(({ type, status: is }) => type === 'Established' && is === 'True')) return []
  const names = status?.acceptedNames ?? spec.names
  const version = (spec.versions ?? [])
    .filter(({ served }) => served)
    .map(({ name }) => name)
    .toSorted(compareVersions)[0]
  if (version === undefined || names?.plural === undefined || spec.group === undefined) return []
  const { group, scope } = spec
  return [{ group, version, kind: names.kind, plural: names.plural, namespaced: scope === 'Namespaced' }]
}
