// Rules on security contexts and on what a pod shares with its host.

import { duplicate, invalid, required, type FieldError } from '../field-errors.ts'
import type { Container, PodSpec, SeccompProfile } from '../types/core-v1.ts'
import { unixId } from './names.ts'
import { complain, oneOf } from './values.ts'

const sysctlShape = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/

export function validatePodSecurity(spec: PodSpec, path: string): readonly FieldError[] {
  const context = spec.securityContext ?? {}
  const at = `${path}.securityContext`
  const errors: FieldError[] = [...validateIds(context, at)]
  if (context.fsGroup !== undefined) errors.push(...complain(`${at}.fsGroup`, context.fsGroup, unixId(context.fsGroup)))
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) {
    errors.push(...complain(`${at}.supplementalGroups[${index}]`, group, unixId(group)))
  }
  const sysctls = new Set<string>()
  for (const [index, { name }] of (context.sysctls ?? []).entries()) {
    if (name === '') errors.push(required(`${at}.sysctls[${index}].name`))
    else if (name.length > 253 || !sysctlShape.test(name)) {
      errors.push(
        invalid(
          `${at}.sysctls[${index}].name`,
          name,
          `must have at most 253 characters and match regex ${sysctlShape.source}`,
        ),
      )
    } else if (sysctls.has(name)) errors.push(duplicate(`${at}.sysctls[${index}].name`, name))
    sysctls.add(name)
  }
  errors.push(...oneOf(context.fsGroupChangePolicy, ['OnRootMismatch', 'Always'], `${at}.fsGroupChangePolicy`))
  errors.push(...oneOf(context.supplementalGroupsPolicy, ['Merge', 'Strict'], `${at}.supplementalGroupsPolicy`))
  errors.push(...oneOf(context.seLinuxChangePolicy, ['Recursive', 'MountOption'], `${at}.seLinuxChangePolicy`))
  errors.push(...validateProfile(context.seccompProfile, `${at}.seccompProfile`))
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.push(
      invalid(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'),
    )
  }
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (spec.hostUsers === false && spec[field] === true)
      errors.push({
        reason: 'FieldValueForbidden',
        field: `${path}.${field}`,
        message: `Forbidden: when \`hostUsers\` is false`,
      })
  }
  return errors
}

function validateIds(
  context: { readonly runAsUser?: number; readonly runAsGroup?: number },
  path: string,
): readonly FieldError[] {
  return (['runAsUser', 'runAsGroup'] as const).flatMap((field) => {
    const id = context[field]
    return id === undefined ? [] : complain(`${path}.${field}`, id, unixId(id))
  })
}

function validateProfile(profile: SeccompProfile | undefined, path: string): readonly FieldError[] {
  if (profile === undefined) return []
  const isLocal = profile.type === 'Localhost'
  if (isLocal && (profile.localhostProfile ?? '') === '')
    return [required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost')]
  if (!isLocal && profile.localhostProfile !== undefined) {
    return [
      invalid(`${path}.localhostProfile`, profile.localhostProfile, 'can only be set when seccomp type is Localhost'),
    ]
  }
  return oneOf(profile.type, ['Localhost', 'RuntimeDefault', 'Unconfined'], `${path}.type`)
}

export function validateContainerSecurity(
  { securityContext: context }: Container,
  path: string,
  hostUsers: boolean | undefined,
): readonly FieldError[] {
  if (context === undefined) return []
  const at = `${path}.securityContext`
  const errors: FieldError[] = [
    ...validateIds(context, at),
    ...validateProfile(context.seccompProfile, `${at}.seccompProfile`),
  ]
  errors.push(...oneOf(context.procMount, ['Default', 'Unmasked'], `${at}.procMount`))
  if (context.procMount === 'Unmasked' && hostUsers !== false) {
    errors.push(invalid(`${at}.procMount`, context.procMount, '`hostUsers` must be false to use `Unmasked`'))
  }
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      errors.push(invalid(at, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'))
    if ((context.capabilities?.add ?? []).includes('CAP_SYS_ADMIN')) {
      errors.push(
        invalid(at, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
      )
    }
  }
  return errors
}
