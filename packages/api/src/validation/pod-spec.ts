// The rules on a pod's spec, for pods and for the templates of workloads alike.

import { duplicate, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { PodResourceClaim, PodSpec, PodTemplateSpec } from '../types/core-v1.ts'
import type { ObjectMeta } from '../types/meta-v1.ts'
import { ipComplaint, isLegacyIp } from './addresses.ts'
import { validateAnnotations, validateLabels } from './metadata.ts'
import { dnsLabel, dnsSubdomain, underscoredSubdomain } from './names.ts'
import { validatePodAnnotations, validateProfileAnnotations } from './pod-annotations.ts'
import { validateContainers } from './pod-containers.ts'
import { validateOperatingSystem } from './pod-os.ts'
import { validatePodResources } from './pod-resources.ts'
import { validateScheduling } from './pod-scheduling.ts'
import { validatePodSecurity } from './pod-security.ts'
import { validateVolumes } from './pod-volumes.ts'
import { validateQuantity } from './resources.ts'
import { complain, requiredWithin, within } from './values.ts'

export const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const deadlineMax = 2147483647

/** `metadata` is that of a real pod: some rules are looser for templates, which have always allowed more. */
export interface PodSpecOptions {
  readonly metadata?: ObjectMeta
}

export function validateTemplate(template: PodTemplateSpec, path: string): readonly FieldError[] {
  const { metadata = {}, spec = { containers: [] } } = template
  return [
    ...validateLabels(metadata.labels, `${path}.labels`),
    ...validateAnnotations(metadata.annotations, `${path}.annotations`),
    ...validatePodAnnotations(metadata.annotations ?? {}, spec, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
    ...validateProfileAnnotations(metadata.annotations ?? {}, spec, `${path}.spec`),
    ...((spec.ephemeralContainers ?? []).length > 0
      ? [forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ]
}

export function validatePodSpec(spec: PodSpec, path: string, options: PodSpecOptions = {}): readonly FieldError[] {
  const isPod = options.metadata !== undefined
  const errors: FieldError[] = [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`, options.metadata?.name),
    ...validateResourceClaims(spec.resourceClaims ?? [], `${path}.resourceClaims`),
    ...validateContainers(spec, path, isPod),
    ...validatePodResources(spec, `${path}.resources`),
    ...validateHostNetwork(spec, path, isPod),
    ...requiredWithin(spec.restartPolicy, restartPolicies, `${path}.restartPolicy`),
    ...requiredWithin(spec.dnsPolicy, dnsPolicies, `${path}.dnsPolicy`),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurity(spec, path),
    ...validateDns(spec, path),
    ...validateScheduling(spec, path),
  ]
  errors.push(...validateNames(spec, path))
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > deadlineMax)) {
    errors.push(invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${deadlineMax}, inclusive`))
  }
  errors.push(...validateAliases(spec, `${path}.hostAliases`))
  const preemption = ['PreemptLowerPriority', 'Never']
  errors.push(...within(spec.preemptionPolicy, preemption, `${path}.preemptionPolicy`))
  for (const [name, quantity] of Object.entries(spec.overhead ?? {}))
    errors.push(...validateQuantity(quantity, `${path}.overhead[${name}]`))
  return [...errors, ...validateOperatingSystem(spec, path)]
}

function validateAliases(spec: PodSpec, path: string): readonly FieldError[] {
  return (spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }, index) => [
    ...(isLegacyIp(ip) ? [] : [invalid(`${path}[${index}].ip`, ip, ipComplaint)]),
    ...hostnames.flatMap((name, place) => complain(`${path}[${index}].hostnames[${place}]`, name, dnsSubdomain(name))),
  ])
}

function validateResourceClaims(claims: readonly PodResourceClaim[], path: string): readonly FieldError[] {
  const names = new Set<string>()
  return claims.flatMap((claim, index) => {
    const at = `${path}[${index}]`
    const { name, resourceClaimName, resourceClaimTemplateName } = claim
    const errors: FieldError[] = []
    if (name === '') errors.push(required(`${at}.name`))
    else if (names.has(name)) errors.push(duplicate(`${at}.name`, name))
    else errors.push(...complain(`${at}.name`, name, dnsLabel(name)))
    names.add(name)
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const words = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'
      errors.push(invalid(at, claim, words))
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      errors.push(invalid(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'))
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field]
      if (value !== undefined) errors.push(...complain(`${at}.${field}`, value, dnsSubdomain(value)))
    }
    return errors
  })
}

/** On the host's network a container's port is the host's: templates may leave the second to be filled in. */
function validateHostNetwork(spec: PodSpec, path: string, isPod: boolean): readonly FieldError[] {
  if (spec.hostNetwork !== true) return []
  return (spec.containers ?? []).flatMap(({ ports = [] }, at) =>
    ports.flatMap(({ hostPort = 0, containerPort }, index) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [
            invalid(
              `${path}.containers[${at}].ports[${index}].hostPort`,
              hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ]
        : [],
    ),
  )
}

function validateNames(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['serviceAccountName', 'nodeName'] as const) {
    const name = spec[field] ?? ''
    if (name !== '') errors.push(...complain(`${path}.${field}`, name, dnsSubdomain(name)))
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field] ?? ''
    if (name !== '') errors.push(...complain(`${path}.${field}`, name, dnsLabel(name)))
  }
  errors.push(...validateHostnameOverride(spec, path))
  for (const field of ['priorityClassName', 'runtimeClassName'] as const) {
    const name = spec[field] ?? ''
    if (name !== '') errors.push(...complain(`${path}.${field}`, name, dnsSubdomain(name)))
  }
  return errors
}

function validateHostnameOverride(spec: PodSpec, path: string): readonly FieldError[] {
  const override = spec.hostnameOverride
  if (override === undefined) return []
  const errors: FieldError[] = [...complain(`${path}.hostnameOverride`, override, dnsSubdomain(override))]
  if (override.length > 64) errors.push(invalid(`${path}.hostnameOverride`, override, 'must be no more than 64 bytes'))
  if (spec.hostNetwork === true)
    errors.push(forbidden(`${path}.hostnameOverride`, 'may not be set when `hostNetwork` is true'))
  if (spec.setHostnameAsFQDN === true)
    errors.push(forbidden(`${path}.setHostnameAsFQDN`, 'may not be set when `hostnameOverride` is set'))
  return errors
}

function validateDns(spec: PodSpec, path: string): readonly FieldError[] {
  const { dnsConfig: config } = spec
  const at = `${path}.dnsConfig`
  if (spec.dnsPolicy === 'None') {
    if (config === undefined) return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    if ((config.nameservers ?? []).length === 0)
      return [required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  }
  if (config === undefined) return []
  const { nameservers = [], searches = [], options = [] } = config
  const errors: FieldError[] = []
  if (nameservers.length > 3)
    errors.push(invalid(`${at}.nameservers`, nameservers, 'must not have more than 3 nameservers'))
  for (const [index, server] of nameservers.entries())
    if (!isLegacyIp(server)) errors.push(invalid(`${at}.nameservers[${index}]`, server, ipComplaint))
  if (searches.length > 32) errors.push(invalid(`${at}.searches`, searches, 'must not have more than 32 search paths'))
  if (searches.join(' ').length > 2048) {
    const words = 'must not have more than 2048 characters (including spaces) in the search list'
    errors.push(invalid(`${at}.searches`, searches, words))
  }
  for (const [index, search] of searches.entries()) {
    const name = search.replace(/\.$/, '')
    if (search !== '.') errors.push(...complain(`${at}.searches[${index}]`, name, underscoredSubdomain(name)))
  }
  for (const [index, { name = '' }] of options.entries())
    if (name === '') errors.push(required(`${at}.options[${index}]`, 'must not be empty'))
  return errors
}
