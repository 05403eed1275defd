// What a pod's spec may say without meaning it: sentences for the Warning header, for pods and for templates of workloads.

import type { Quantity } from '../types/apimachinery-resource.ts'
import type {
  Affinity,
  Container,
  ContainerPort,
  EphemeralContainer,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../types/core-v1.ts'
import { containersOf } from '../validation/pod-annotations.ts'
import { dnsLabel } from '../validation/names.ts'
import { claimSpecWarnings } from './claims.ts'
import { isFractional } from './fractions.ts'
import { nodeLabelWarning, nodeTermWarnings } from './node-labels.ts'
import { overlapWarnings } from './virtual-paths.ts'
import type { LegacyAddress } from './addresses.ts'

type Annotations = Readonly<Record<string, string>>

const oldAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
}

/** In the order in which upstream looks for them. */
const oldVolumes: readonly (readonly [field: keyof Volume, sentence: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]
/** Upstream names the field by its inner name. */
const shownVolume: Readonly<Record<string, string>> = { storageos: 'storageOS' }

const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/'
const appArmorContainer = 'container.apparmor.security.beta.kubernetes.io/'
const seccompWords = 'non-functional in v1.27+; use the "seccompProfile" field instead'
const appArmorWords = 'deprecated since v1.30; use the "appArmorProfile" field instead'

/** `path` is that of the template: `spec.template`. */
export function templateWarnings(template: PodTemplateSpec | undefined, path: string): readonly string[] {
  if (template?.spec === undefined) return []
  return specWarnings(template.spec, template.metadata?.annotations ?? {}, `${path}.`)
}

/** Names that become parts of host names. `what`: as upstream says whose. */
export function nameWarnings(name: string, what: string): readonly string[] {
  const complaints = dnsLabel(name)
  if (complaints.length === 0) return []
  return [
    `metadata.name: this is used in ${what}, which can result in surprising behavior; a DNS label is recommended: [${complaints.join(' ')}]`,
  ]
}

/** `prefix`: '' for a pod, else the path of the template with its dot. */
export function specWarnings(spec: PodSpec, annotations: Annotations, prefix: string): readonly string[] {
  const at = `${prefix}spec`
  const annotation = (key: string): string => `${prefix}metadata.annotations[${key}]`
  return [
    ...placementWarnings(spec, at),
    ...Object.keys(oldAnnotations)
      .filter((key) => annotations[key] !== undefined)
      .map((key) => `${annotation(key)}: ${oldAnnotations[key]}`),
    ...volumeWarnings(spec.volumes ?? [], `${at}.volumes`),
    ...overlapWarnings(spec.volumes ?? []),
    ...repeated((spec.hostAliases ?? []).map(({ ip }) => ip)).map(
      ([index, ip]) => `${at}.hostAliases[${index}].ip: duplicate ip "${ip}"`,
    ),
    ...secretWarnings(spec, `${at}.imagePullSecrets`),
    ...fractions(spec.overhead, `${at}.overhead`),
    ...(spec.securityContext?.seccompProfile === undefined && annotations[seccompPod] !== undefined
      ? [`${annotation(seccompPod)}: ${seccompWords}`]
      : []),
    ...containersOf(spec, at).flatMap(({ container, path }) => [
      ...profileWarnings(container, spec, annotations, annotation),
      ...fractions(container.resources?.limits, `${path}.resources.limits`, ['memory']),
      ...fractions(container.resources?.requests, `${path}.resources.requests`, ['memory']),
      ...fractions(container.resources?.limits, `${path}.resources.limits`, ['ephemeral-storage']),
      ...fractions(container.resources?.requests, `${path}.resources.requests`, ['ephemeral-storage']),
      ...envWarnings(container, path),
    ]),
    ...portWarnings(spec, at),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec.affinity, `${at}.affinity`),
  ]
}

const matchesNothing = 'a null labelSelector results in matching no pod'

function placementWarnings(spec: PodSpec, at: string): readonly string[] {
  const warnings: string[] = []
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const old = nodeLabelWarning(key)
    if (old !== undefined) warnings.push(`${at}.nodeSelector[${key}]: ${old}`)
  }
  const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution } =
    spec.affinity?.nodeAffinity ?? {}
  for (const [index, term] of (required?.nodeSelectorTerms ?? []).entries()) {
    const path = `${at}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`
    warnings.push(...nodeTermWarnings(term, path))
  }
  for (const [index, { preference }] of (preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const path = `${at}.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`
    warnings.push(...nodeTermWarnings(preference, path, { values: true }))
  }
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const path = `${at}.topologySpreadConstraints[${index}]`
    const old = nodeLabelWarning(topologyKey)
    if (old !== undefined) warnings.push(`${path}.topologyKey: ${topologyKey} is ${old}`)
    if (labelSelector === undefined) warnings.push(`${path}.labelSelector: ${matchesNothing}`)
  }
  return warnings
}

function volumeWarnings(volumes: readonly Volume[], at: string): readonly string[] {
  return volumes.flatMap((volume, index) => {
    const path = `${at}[${index}]`
    const old = oldVolumes
      .filter(([field]) => volume[field] !== undefined)
      .map(([field, words]) => `${path}.${shownVolume[field] ?? field}: ${words}`)
    const claim = volume.ephemeral?.volumeClaimTemplate
    return claim === undefined
      ? old
      : [...old, ...claimSpecWarnings(claim.spec, `${path}.ephemeral.volumeClaimTemplate.spec`)]
  })
}

/** Those that stand there already, with their place. */
function repeated(values: readonly string[]): readonly (readonly [number, string])[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [[index, value] as const] : []))
}

function secretWarnings(spec: PodSpec, at: string): readonly string[] {
  const names = (spec.imagePullSecrets ?? []).map(({ name = '' }) => name)
  return [
    ...repeated(names).map(([index, name]) => `${at}[${index}].name: duplicate name "${name}"`),
    ...names.flatMap((name, index) => (name === '' ? [`${at}[${index}].name: invalid empty name ""`] : [])),
  ]
}

/** Bytes come whole. */
function fractions(
  amounts: Readonly<Record<string, Quantity>> | undefined,
  at: string,
  names: readonly string[] = ['memory', 'ephemeral-storage'],
): readonly string[] {
  return names.flatMap((name) => {
    const amount = amounts?.[name]
    if (amount === undefined || !isFractional(amount)) return []
    return [`${at}[${name}]: fractional byte value "${amount}" is invalid, must be an integer`]
  })
}

function profileWarnings(
  { name, securityContext }: Container | EphemeralContainer,
  spec: PodSpec,
  annotations: Annotations,
  annotation: (key: string) => string,
): readonly string[] {
  const warnings: string[] = []
  const seccomp = `${seccompContainer}${name}`
  if (securityContext?.seccompProfile === undefined && annotations[seccomp] !== undefined)
    warnings.push(`${annotation(seccomp)}: ${seccompWords}`)
  const armor = `${appArmorContainer}${name}`
  const hasField = (spec.securityContext?.appArmorProfile ?? securityContext?.appArmorProfile) !== undefined
  if (!hasField && annotations[armor] !== undefined) warnings.push(`${annotation(armor)}: ${appArmorWords}`)
  return warnings
}

function envWarnings({ env = [] }: Container | EphemeralContainer, at: string): readonly string[] {
  const names = new Set<string>()
  return env.flatMap(({ name, value = '', valueFrom }, index) => {
    if (!names.has(name)) {
      names.add(name)
      return []
    }
    // `X=abc; X=$(X)123` builds on what stood there.
    const reference = `$(${name})`
    if (valueFrom === undefined && value !== reference && value.includes(reference)) return []
    return [`${at}.env[${index}]: hides previous definition of "${name}", which may be dropped when using apply`]
  })
}

interface PlacedPort {
  readonly path: string
  readonly port: ContainerPort
}

function portWarnings(spec: PodSpec, at: string): readonly string[] {
  const known = new Map<string, PlacedPort[]>()
  const warnings: string[] = []
  for (const { container, path: of } of containersOf(spec, at)) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const path = `${of}.ports[${index}]`
      if ((port.hostIP ?? '') !== '' && (port.hostPort ?? 0) === 0)
        warnings.push(`${path}: hostIP set without hostPort: ${shownPort(port)}`)
      const key = `${port.containerPort}/${port.protocol ?? 'TCP'}`
      const others = known.get(key) ?? []
      for (const other of others) {
        const word = collision(port, other.port)
        if (word !== undefined) warnings.push(`${path}: ${word} port definition with ${other.path}`)
      }
      known.set(key, [...others, { path, port }])
    }
  }
  return warnings
}

function collision(port: ContainerPort, other: ContainerPort): string | undefined {
  const [ip, otherIp] = [port.hostIP ?? '', other.hostIP ?? '']
  const [host, otherHost] = [port.hostPort ?? 0, other.hostPort ?? 0]
  if (ip === otherIp && host === otherHost) return 'duplicate'
  if (host === 0 || otherHost === 0) return 'overlapping'
  return host === otherHost && (ip === '') !== (otherIp === '') ? 'dangerously ambiguous' : undefined
}

/** In Go's words, by the names of its inner form. */
function shownPort({ name = '', hostPort = 0, containerPort, protocol = 'TCP', hostIP = '' }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`
}

function affinityWarnings(affinity: Affinity | undefined, at: string): readonly string[] {
  return (['podAffinity', 'podAntiAffinity'] as const).flatMap((kind) => {
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required = [],
      preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
    } = affinity?.[kind] ?? {}
    const without = (term: PodAffinityTerm, path: string): readonly string[] =>
      term.labelSelector === undefined ? [`${path}.labelSelector: ${matchesNothing}`] : []
    return [
      ...required.flatMap((term, index) =>
        without(term, `${at}.${kind}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`),
      ),
      ...preferred.flatMap(({ podAffinityTerm }, index) =>
        without(
          podAffinityTerm,
          `${at}.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm`,
        ),
      ),
    ]
  })
}

/** Addresses that a pod brings along: for its hosts file and its resolver. */
export function podAddresses(spec: PodSpec | undefined, path: string): readonly LegacyAddress[] {
  return [
    ...(spec?.dnsConfig?.nameservers ?? []).map(
      (text, index) => ({ path: `${path}.dnsConfig.nameservers[${index}]`, kind: 'ip', text }) as const,
    ),
    ...(spec?.hostAliases ?? []).map(
      ({ ip }, index) => ({ path: `${path}.hostAliases[${index}].ip`, kind: 'ip', text: ip }) as const,
    ),
  ]
}
