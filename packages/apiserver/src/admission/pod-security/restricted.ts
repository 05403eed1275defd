// The checks of the restricted standard: what a hardened pod must say of itself.

import type { Container } from '@aksel/api/types/core-v1'
import { isAllowedSeccomp, seccompProfile } from './baseline.ts'
import {
  containersOf,
  containersWhere,
  named,
  plural,
  quoted,
  setters,
  sorted,
  type CheckedPod,
  type Violation,
} from './words.ts'

export function allowPrivilegeEscalation({ spec }: CheckedPod): Violation | undefined {
  const bad = containersWhere(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false)
  if (bad.length === 0) return undefined
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${named(bad)} must set securityContext.allowPrivilegeEscalation=false`,
  }
}

export function droppedCapabilities({ spec }: CheckedPod): Violation | undefined {
  const added = ({ securityContext }: Container): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((one) => one !== 'NET_BIND_SERVICE')
  const keeping = containersWhere(
    spec,
    ({ securityContext }) => securityContext?.capabilities?.drop?.includes('ALL') !== true,
  )
  const adding = containersWhere(spec, (container) => added(container).length > 0)
  const details: string[] = []
  if (keeping.length > 0) details.push(`${named(keeping)} must set securityContext.capabilities.drop=["ALL"]`)
  if (adding.length > 0) {
    const all = sorted(containersOf(spec).flatMap(added))
    details.push(`${named(adding)} must not include ${quoted(all)} in securityContext.capabilities.add`)
  }
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') }
}

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const

export function restrictedVolumes({ spec }: CheckedPod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter((volume) => allowedVolumes.every((type) => volume[type] === undefined))
  if (bad.length === 0) return undefined
  const types = sorted(
    bad.map(
      (volume) =>
        Object.keys(volume).find((key) => key !== 'name' && volume[key as 'hostPath'] !== undefined) ?? 'unknown',
    ),
  )
  const names = bad.map(({ name }) => name)
  const verb = bad.length === 1 ? 'uses' : 'use'
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', names.length)} ${quoted(names)} ${verb} ${plural('restricted volume type', types.length)} ${quoted(types)}`,
  }
}

export function runAsNonRoot({ spec }: CheckedPod): Violation | undefined {
  const pod = spec.securityContext?.runAsNonRoot
  const reason = 'runAsNonRoot != true'
  const explicit = containersWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false)
  const who = setters(pod === false, explicit)
  if (who.length > 0) return { reason, detail: `${who.join(' and ')} must not set securityContext.runAsNonRoot=false` }
  const implicit =
    pod === true ? [] : containersWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined)
  if (implicit.length === 0) return undefined
  return { reason, detail: `pod or ${named(implicit)} must set securityContext.runAsNonRoot=true` }
}

export function runAsUser({ spec }: CheckedPod): Violation | undefined {
  const bad = containersWhere(spec, ({ securityContext }) => securityContext?.runAsUser === 0)
  const who = setters(spec.securityContext?.runAsUser === 0, bad)
  return who.length === 0
    ? undefined
    : { reason: 'runAsUser=0', detail: `${who.join(' and ')} must not set runAsUser=0` }
}

export function requiredSeccompProfile(pod: CheckedPod): Violation | undefined {
  const explicit = seccompProfile(pod)
  if (explicit !== undefined) return explicit
  const { spec } = pod
  const podType = spec.securityContext?.seccompProfile?.type
  if (podType !== undefined && isAllowedSeccomp(podType)) return undefined
  const implicit = containersWhere(spec, ({ securityContext }) => securityContext?.seccompProfile === undefined)
  if (implicit.length === 0) return undefined
  return {
    reason: 'seccompProfile',
    detail: `pod or ${named(implicit)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  }
}
