// The checks of the baseline standard: what lets a pod out of its box.

import type { Container } from '@aksel/api/types/core-v1'
import {
  containersOf,
  containersWhere,
  named,
  plural,
  quoted,
  setters,
  sorted,
  type CheckedPod,
  type PodSpec,
  type Violation,
} from './words.ts'

export type Check = (pod: CheckedPod) => Violation | undefined

export function privileged({ spec }: CheckedPod): Violation | undefined {
  const bad = containersWhere(spec, ({ securityContext }) => securityContext?.privileged === true)
  if (bad.length === 0) return undefined
  return { reason: 'privileged', detail: `${named(bad)} must not set securityContext.privileged=true` }
}

export function hostNamespaces({ spec }: CheckedPod): Violation | undefined {
  const bad = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true)
  if (bad.length === 0) return undefined
  return { reason: 'host namespaces', detail: bad.map((field) => `${field}=true`).join(', ') }
}

export function hostPathVolumes({ spec }: CheckedPod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name)
  if (bad.length === 0) return undefined
  return { reason: 'hostPath volumes', detail: `${plural('volume', bad.length)} ${quoted(bad)}` }
}

export function hostPorts({ spec }: CheckedPod): Violation | undefined {
  const bad: string[] = []
  const ports = new Set<string>()
  for (const { name, ports: own = [] } of containersOf(spec)) {
    const taken = own.filter(({ hostPort = 0 }) => hostPort !== 0)
    if (taken.length > 0) bad.push(name)
    for (const { hostPort } of taken) ports.add(String(hostPort))
  }
  if (bad.length === 0) return undefined
  const verb = bad.length === 1 ? 'uses' : 'use'
  return {
    reason: 'hostPort',
    detail: `${named(bad)} ${verb} ${plural('hostPort', ports.size)} ${sorted(ports).join(', ')}`,
  }
}

const defaultCapabilities: ReadonlySet<string> = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
)

export function defaultCapabilitiesOnly({ spec }: CheckedPod): Violation | undefined {
  const extra = ({ securityContext }: Container): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((one) => !defaultCapabilities.has(one))
  const bad = containersWhere(spec, (container) => extra(container).length > 0)
  if (bad.length === 0) return undefined
  const all = sorted(containersOf(spec).flatMap(extra))
  return {
    reason: 'non-default capabilities',
    detail: `${named(bad)} must not include ${quoted(all)} in securityContext.capabilities.add`,
  }
}

interface SeLinux {
  readonly type?: string
  readonly user?: string
  readonly role?: string
}

export function seLinuxOptions(allowed: ReadonlySet<string>): Check {
  return ({ spec }) => {
    const isBad = (options: SeLinux | undefined): options is SeLinux =>
      options !== undefined &&
      (!allowed.has(options.type ?? '') || (options.user ?? '') !== '' || (options.role ?? '') !== '')
    const podOptions = spec.securityContext?.seLinuxOptions
    const bad = containersWhere(spec, ({ securityContext }) => isBad(securityContext?.seLinuxOptions))
    const who = setters(isBad(podOptions), bad)
    if (who.length === 0) return undefined
    const all = [
      podOptions,
      ...containersOf(spec).map(({ securityContext }) => securityContext?.seLinuxOptions),
    ].filter(isBad)
    const types = sorted(all.map(({ type = '' }) => type).filter((type) => !allowed.has(type)))
    const data = [
      ...(types.length === 0 ? [] : [`${plural('type', types.length)} ${quoted(types)}`]),
      ...(all.some(({ user = '' }) => user !== '') ? ['user may not be set'] : []),
      ...(all.some(({ role = '' }) => role !== '') ? ['role may not be set'] : []),
    ]
    return {
      reason: 'seLinuxOptions',
      detail: `${who.join(' and ')} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    }
  }
}

export function procMount({ spec }: CheckedPod): Violation | undefined {
  const mountOf = ({ securityContext }: Container): string => securityContext?.procMount ?? 'Default'
  const bad = containersWhere(spec, (container) => mountOf(container) !== 'Default')
  if (bad.length === 0) return undefined
  const types = sorted(
    containersOf(spec)
      .map(mountOf)
      .filter((type) => type !== 'Default'),
  )
  return { reason: 'procMount', detail: `${named(bad)} must not set securityContext.procMount to ${quoted(types)}` }
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'

export function appArmorProfile({ metadata, spec }: CheckedPod): Violation | undefined {
  const isBad = (type: string | undefined): type is string =>
    type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost'
  const podType = spec.securityContext?.appArmorProfile?.type
  const typeOf = ({ securityContext }: Container): string | undefined => securityContext?.appArmorProfile?.type
  const who = [
    ...setters(
      isBad(podType),
      containersWhere(spec, (container) => isBad(typeOf(container))),
    ),
  ]
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorAnnotation) && !isAllowedProfile(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted()
  if (annotations.length > 0) who.push(plural('annotation', annotations.length))
  if (who.length === 0) return undefined
  const values = [...sorted([podType, ...containersOf(spec).map(typeOf)].filter(isBad)), ...annotations]
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  }
}

function isAllowedProfile(value: string): boolean {
  return value === '' || value === 'runtime/default' || value.startsWith('localhost/')
}

export function seccompAnnotations({ metadata, spec }: CheckedPod): Violation | undefined {
  const keys = [
    'seccomp.security.alpha.kubernetes.io/pod',
    ...containersOf(spec).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`),
  ]
  const bad = keys.flatMap((key) => {
    const value = metadata.annotations?.[key]
    if (value === undefined || value === 'docker/default' || isAllowedProfile(value)) return []
    return [`${key}=${JSON.stringify(value)}`]
  })
  if (bad.length === 0) return undefined
  const all = sorted(bad)
  return { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', all.length)} ${all.join(', ')}` }
}

export function isAllowedSeccomp(type: string): boolean {
  return type === 'Localhost' || type === 'RuntimeDefault'
}

export function seccompProfile({ spec }: CheckedPod): Violation | undefined {
  const isBad = (type: string | undefined): type is string => type !== undefined && !isAllowedSeccomp(type)
  const podType = spec.securityContext?.seccompProfile?.type
  const typeOf = ({ securityContext }: Container): string | undefined => securityContext?.seccompProfile?.type
  const who = setters(
    isBad(podType),
    containersWhere(spec, (container) => isBad(typeOf(container))),
  )
  if (who.length === 0) return undefined
  const values = sorted([podType, ...containersOf(spec).map(typeOf)].filter(isBad))
  return {
    reason: 'seccompProfile',
    detail: `${who.join(' and ')} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  }
}

export function sysctls(allowed: ReadonlySet<string>): Check {
  return ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.has(name))
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') }
  }
}

export function windowsHostProcess({ spec }: CheckedPod): Violation | undefined {
  const isSet = (context: PodSpec['securityContext'] | Container['securityContext']): boolean =>
    context?.windowsOptions?.hostProcess === true
  const who = setters(
    isSet(spec.securityContext),
    containersWhere(spec, ({ securityContext }) => isSet(securityContext)),
  )
  if (who.length === 0) return undefined
  return {
    reason: 'hostProcess',
    detail: `${who.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true`,
  }
}

interface Dialling {
  readonly httpGet?: { readonly host?: string }
  readonly tcpSocket?: { readonly host?: string }
}

export function probeHosts({ spec }: CheckedPod): Violation | undefined {
  const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): readonly string[] => {
    const all: readonly (Dialling | undefined)[] = [
      livenessProbe,
      readinessProbe,
      startupProbe,
      lifecycle?.postStart,
      lifecycle?.preStop,
    ]
    return all.flatMap((one) => [one?.httpGet?.host ?? '', one?.tcpSocket?.host ?? '']).filter((host) => host !== '')
  }
  const bad = sorted(containersWhere(spec, (container) => hostsOf(container).length > 0))
  if (bad.length === 0) return undefined
  const hosts = sorted(containersOf(spec).flatMap(hostsOf))
  const verb = bad.length === 1 ? 'uses' : 'use'
  return {
    reason: 'probe or lifecycle host',
    detail: `${named(bad)} ${verb} ${plural('probe or lifecycle host', hosts.length)} ${quoted(hosts)}`,
  }
}
