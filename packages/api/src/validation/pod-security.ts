// Rules on security contexts and on what a pod shares with its host.

import { duplicate, forbidden, invalid, notSupported, required, tooLong, type FieldError } from '../field-errors.ts'
import type {
  AppArmorProfile,
  Container,
  EphemeralContainer,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  WindowsSecurityContextOptions,
} from '../types/core-v1.ts'
import { localPath } from './paths.ts'
import { unixId, dnsSubdomain } from './names.ts'
import { complain, oneOf } from './values.ts'

const sysctlShape = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlMax = 253
const profilePathMax = 4095

export function validatePodSecurity(spec: PodSpec, path: string): readonly FieldError[] {
  const context = spec.securityContext ?? {}
  const at = `${path}.securityContext`
  const errors: FieldError[] = []
  if (context.fsGroup !== undefined) errors.push(...complain(`${at}.fsGroup`, context.fsGroup, unixId(context.fsGroup)))
  errors.push(...validateIds(context, at))
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    errors.push(...complain(`${at}.supplementalGroups[${index}]`, group, unixId(group)))
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const words = 'ShareProcessNamespace and HostPID cannot both be enabled'
    errors.push(invalid(`${at}.shareProcessNamespace`, true, words))
  }
  errors.push(
    ...validateSysctls(context, spec, `${at}.sysctls`),
    ...oneOf(context.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], `${at}.fsGroupChangePolicy`),
    ...validateSeccomp(context.seccompProfile, `${at}.seccompProfile`),
    ...validateWindowsOptions(context.windowsOptions, `${at}.windowsOptions`),
    ...validateAppArmor(context.appArmorProfile, `${at}.appArmorProfile`),
    ...oneOf(context.supplementalGroupsPolicy, ['Merge', 'Strict'], `${at}.supplementalGroupsPolicy`),
    ...oneOf(context.seLinuxChangePolicy, ['MountOption', 'Recursive'], `${at}.seLinuxChangePolicy`),
    ...validateHostUsers(spec, path),
  )
  return errors
}

/** Users of their own do not go with the host's namespaces; its network is judged with the gates. Paths are upstream's. */
function validateHostUsers(spec: PodSpec, path: string): readonly FieldError[] {
  if (spec.hostUsers !== false) return []
  const names = { hostPID: 'HostPID', hostIPC: 'HostIPC' } as const
  return (['hostPID', 'hostIPC'] as const)
    .filter((field) => spec[field] === true)
    .map((field) => forbidden(`${path}.${names[field]}`, 'when `pod.Spec.HostUsers` is false'))
}

function validateSysctls({ sysctls = [] }: PodSecurityContext, spec: PodSpec, path: string): readonly FieldError[] {
  const seen = new Set<string>()
  return sysctls.flatMap(({ name }, index) => {
    const at = `${path}[${index}].name`
    const errors: FieldError[] = []
    if (name === '') errors.push(required(at))
    else if (name.length > sysctlMax || !sysctlShape.test(name)) {
      const words = `must have at most ${sysctlMax} characters and match regex ${sysctlShape.source.replaceAll('\\/', '/')}`
      errors.push(invalid(at, name, words))
    } else if (seen.has(name)) errors.push(duplicate(at, name))
    const dotted = name.replaceAll('/', '.')
    if (spec.hostNetwork === true && dotted.startsWith('net.'))
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
    else if (spec.hostIPC === true && /^(kernel\.(sem|shm|msg)|fs\.mqueue\.)/.test(dotted))
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    seen.add(name)
    return errors
  })
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

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

function validateSeccomp(profile: SeccompProfile | undefined, path: string): readonly FieldError[] {
  if (profile === undefined) return []
  const { type, localhostProfile: file } = profile
  const errors: FieldError[] = []
  if (type === '') errors.push(required(`${path}.type`, 'type is required when seccompProfile is set'))
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes))
  if (type === 'Localhost') {
    if (file === undefined)
      errors.push(required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost'))
    else errors.push(...localPath(file, `${path}.localhostProfile`))
  } else if (file !== undefined)
    errors.push(invalid(`${path}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost'))
  return errors
}

export function validateAppArmor(profile: AppArmorProfile | undefined, path: string): readonly FieldError[] {
  if (profile === undefined) return []
  const { type, localhostProfile: name } = profile
  const at = `${path}.localhostProfile`
  if (type === '') return [required(`${path}.type`, 'type is required when appArmorProfile is set')]
  if (!profileTypes.includes(type)) return [notSupported(`${path}.type`, type, profileTypes)]
  if (type !== 'Localhost')
    return name === undefined ? [] : [invalid(at, name, 'can only be set when AppArmor type is Localhost')]
  if (name === undefined || name === '') return [required(at, 'must be set when AppArmor type is Localhost')]
  const errors: FieldError[] = name === name.trim() ? [] : [invalid(at, name, 'must not be padded with whitespace')]
  return name.length > profilePathMax ? [...errors, tooLong(at, profilePathMax)] : errors
}

const specMaxBytes = 64 * 1024

function validateWindowsOptions(
  options: WindowsSecurityContextOptions | undefined,
  path: string,
): readonly FieldError[] {
  if (options === undefined) return []
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: content, runAsUserName: user } = options
  const errors: FieldError[] =
    name === undefined ? [] : [...complain(`${path}.gmsaCredentialSpecName`, name, dnsSubdomain(name))]
  const specAt = `${path}.gmsaCredentialSpec`
  if (content === '') errors.push(invalid(specAt, content, 'gmsaCredentialSpec cannot be an empty string'))
  else if (content !== undefined && content.length > specMaxBytes)
    errors.push(invalid(specAt, content, `gmsaCredentialSpec size must be under ${specMaxBytes / 1024} KiB`))
  if (user === '') errors.push(invalid(`${path}.runAsUserName`, user, 'runAsUserName cannot be an empty string'))
  return errors
}

export function validateContainerSecurity(
  { securityContext: context }: Container | EphemeralContainer,
  path: string,
  hostUsers: boolean | undefined,
): readonly FieldError[] {
  if (context === undefined) return []
  const at = `${path}.securityContext`
  const errors: FieldError[] = [
    ...validateIds(context, at),
    ...oneOf(context.procMount, ['Default', 'Unmasked'], `${at}.procMount`),
  ]
  if (context.procMount === 'Unmasked' && hostUsers !== false)
    errors.push(invalid(`${at}.procMount`, context.procMount, '`hostUsers` must be false to use `Unmasked`'))
  errors.push(...validateSeccomp(context.seccompProfile, `${at}.seccompProfile`))
  if (context.allowPrivilegeEscalation === false) {
    const cannot = 'cannot set `allowPrivilegeEscalation` to false and'
    if (context.privileged === true) errors.push(invalid(at, context, `${cannot} \`privileged\` to true`))
    if ((context.capabilities?.add ?? []).includes('CAP_SYS_ADMIN'))
      errors.push(invalid(at, context, `${cannot} \`capabilities.Add\` CAP_SYS_ADMIN`))
  }
  return [
    ...errors,
    ...validateWindowsOptions(context.windowsOptions, `${at}.windowsOptions`),
    ...validateAppArmor(context.appArmorProfile, `${at}.appArmorProfile`),
  ]
}
