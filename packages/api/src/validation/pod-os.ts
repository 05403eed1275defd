// What a pod for one operating system may not set, because only the other knows it.

import { forbidden, notSupported, required, type FieldError } from '../field-errors.ts'
import type { PodSpec } from '../types/core-v1.ts'
import { containersOf } from './pod-annotations.ts'

const ofPod = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const
const ofPodContext = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const
const ofContainer = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const

export function validateOperatingSystem(spec: PodSpec, path: string): readonly FieldError[] {
  if (spec.os === undefined) return []
  const { name } = spec.os
  if (name === '') return [required(`${path}.os.name`)]
  if (name !== 'linux' && name !== 'windows') return [notSupported(`${path}.os.name`, name, ['linux', 'windows'])]
  return name === 'linux' ? validateLinux(spec, path) : validateWindows(spec, path)
}

function validateLinux(spec: PodSpec, path: string): readonly FieldError[] {
  const cannot = 'windows options cannot be set for a linux pod'
  const contexts = [
    { at: path, context: spec.securityContext },
    ...containersOf(spec, path).map(({ container, path: at }) => ({ at, context: container.securityContext })),
  ]
  return contexts
    .filter(({ context }) => context?.windowsOptions !== undefined)
    .map(({ at }) => forbidden(`${at}.securityContext.windowsOptions`, cannot))
}

function validateWindows(spec: PodSpec, path: string): readonly FieldError[] {
  const cannot = 'cannot be set for a windows pod'
  const errors: FieldError[] = []
  for (const field of ofPodContext) {
    const value = spec.securityContext?.[field]
    if (value !== undefined) errors.push(forbidden(`${path}.securityContext.${field}`, cannot))
  }
  for (const field of ofPod) {
    const isSet = field === 'hostPID' || field === 'hostIPC' ? spec[field] === true : spec[field] !== undefined
    if (isSet) errors.push(forbidden(`${path}.${field}`, cannot))
  }
  for (const { container, path: at } of containersOf(spec, path)) {
    for (const field of ofContainer) {
      if (container.securityContext?.[field] !== undefined)
        errors.push(forbidden(`${at}.securityContext.${field}`, cannot))
    }
  }
  return errors
}
