// The rules on a pod's spec, for pods and for the templates of workloads alike.

import { duplicate, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { Container, EphemeralContainer, PodSpec, PodTemplateSpec } from '../types/core-v1.ts'
import { validateAnnotations, validateLabels } from './metadata.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'
import { isIpAddress, ipComplaint } from './addresses.ts'
import { validateEnv, validateEnvFrom } from './pod-env.ts'
import { validateContainerPorts, validateProbes } from './pod-probes.ts'
import { validateScheduling } from './pod-scheduling.ts'
import { validateContainerSecurity, validatePodSecurity } from './pod-security.ts'
import { validateMounts, validateVolumes } from './pod-volumes.ts'
import { validateQuantity, validateResources } from './resources.ts'
import { complain, nonNegative, oneOf, requiredOneOf } from './values.ts'

export const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']
const deadlineMax = 2147483647

export function validateTemplate(template: PodTemplateSpec, path: string): readonly FieldError[] {
  const metadata = template.metadata ?? {}
  return [
    ...validateLabels(metadata.labels, `${path}.labels`),
    ...validateAnnotations(metadata.annotations, `${path}.annotations`),
    ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`),
    ...((template.spec?.ephemeralContainers ?? []).length > 0
      ? [forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ]
}

export function validatePodSpec(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, path),
  ]
  errors.push(...requiredOneOf(spec.restartPolicy, restartPolicies, `${path}.restartPolicy`))
  errors.push(...validateDns(spec, path), ...validatePodSecurity(spec, path), ...validateScheduling(spec, path))
  errors.push(...validateNames(spec, path))
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > deadlineMax)) {
    errors.push(invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${deadlineMax}, inclusive`))
  }
  errors.push(...nonNegative(spec.terminationGracePeriodSeconds, `${path}.terminationGracePeriodSeconds`))
  errors.push(...oneOf(spec.os?.name, ['linux', 'windows'], `${path}.os.name`))
  errors.push(...oneOf(spec.preemptionPolicy, ['Never', 'PreemptLowerPriority'], `${path}.preemptionPolicy`))
  for (const [index, { ip, hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    if (!isIpAddress(ip)) errors.push(invalid(`${path}.hostAliases[${index}].ip`, ip, ipComplaint))
    for (const [place, name] of hostnames.entries())
      errors.push(...complain(`${path}.hostAliases[${index}].hostnames[${place}]`, name, dnsSubdomain(name)))
  }
  for (const [name, quantity] of Object.entries(spec.overhead ?? {}))
    errors.push(...validateQuantity(quantity, `${path}.overhead[${name}]`))
  return errors
}

function validateNames(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['serviceAccountName', 'nodeName', 'runtimeClassName', 'priorityClassName'] as const) {
    const name = spec[field] ?? ''
    if (name !== '') errors.push(...complain(`${path}.${field}`, name, dnsSubdomain(name)))
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field] ?? ''
    if (name !== '') errors.push(...complain(`${path}.${field}`, name, dnsLabel(name)))
  }
  const override = spec.hostnameOverride
  if (override !== undefined) {
    errors.push(...complain(`${path}.hostnameOverride`, override, dnsSubdomain(override)))
    if (override.length > 64)
      errors.push(invalid(`${path}.hostnameOverride`, override, 'must be no more than 64 bytes'))
    if (spec.hostNetwork === true)
      errors.push(forbidden(`${path}.hostnameOverride`, 'may not be set when `hostNetwork` is true'))
    if (spec.setHostnameAsFQDN === true)
      errors.push(forbidden(`${path}.setHostnameAsFQDN`, 'may not be set when `hostnameOverride` is set'))
  }
  return errors
}

function validateDns(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...requiredOneOf(spec.dnsPolicy, dnsPolicies, `${path}.dnsPolicy`)]
  const servers = spec.dnsConfig?.nameservers ?? []
  if (spec.dnsPolicy === 'None' && servers.length === 0) {
    const at = spec.dnsConfig === undefined ? `${path}.dnsConfig` : `${path}.dnsConfig.nameservers`
    errors.push(
      required(
        at,
        spec.dnsConfig === undefined
          ? 'must provide `dnsConfig` when `dnsPolicy` is None'
          : 'must provide at least one DNS nameserver when `dnsPolicy` is None',
      ),
    )
  }
  if (servers.length > 3)
    errors.push(invalid(`${path}.dnsConfig.nameservers`, servers, 'must not have more than 3 nameservers'))
  for (const [index, server] of servers.entries()) {
    if (!isIpAddress(server)) errors.push(invalid(`${path}.dnsConfig.nameservers[${index}]`, server, ipComplaint))
  }
  const searches = spec.dnsConfig?.searches ?? []
  if (searches.length > 32)
    errors.push(invalid(`${path}.dnsConfig.searches`, searches, 'must not have more than 32 search paths'))
  if (searches.join(' ').length > 2048)
    errors.push(
      invalid(
        `${path}.dnsConfig.searches`,
        searches,
        'must not have more than 2048 characters (including spaces) in the search list',
      ),
    )
  for (const [index, { name }] of (spec.dnsConfig?.options ?? []).entries()) {
    if ((name ?? '') === '') errors.push(required(`${path}.dnsConfig.options[${index}]`, 'must not be empty'))
  }
  return errors
}

function validateContainers(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  const lists = [
    ['containers', spec.containers ?? []],
    ['initContainers', spec.initContainers ?? []],
    ['ephemeralContainers', spec.ephemeralContainers ?? []],
  ] as const
  if ((spec.containers ?? []).length === 0) errors.push(required(`${path}.containers`))
  for (const [field, containers] of lists) {
    for (const [index, container] of containers.entries()) {
      const at = `${path}.${field}[${index}]`
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name))
      names.add(container.name)
      errors.push(...validateContainer(container, spec, at))
      if (field === 'initContainers') errors.push(...validateInit(container as Container, at))
      if (field === 'ephemeralContainers') errors.push(...validateEphemeral(container as EphemeralContainer, at))
      else if (field === 'containers')
        errors.push(...oneOf((container as Container).restartPolicy, restartPolicies, `${at}.restartPolicy`))
    }
  }
  return [...errors, ...validateHostPorts(spec, path)]
}

function validateContainer(
  container: Container | EphemeralContainer,
  spec: PodSpec,
  path: string,
): readonly FieldError[] {
  const { name, image = '' } = container
  const errors: FieldError[] =
    name === '' ? [required(`${path}.name`)] : [...complain(`${path}.name`, name, dnsLabel(name))]
  if (image === '') errors.push(required(`${path}.image`))
  else if (image !== image.trim())
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  errors.push(
    ...requiredOneOf(
      container.terminationMessagePolicy,
      ['File', 'FallbackToLogsOnError'],
      `${path}.terminationMessagePolicy`,
    ),
  )
  errors.push(
    ...requiredOneOf(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`),
  )
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name))
  const claims = new Set((spec.resourceClaims ?? []).map((claim) => claim.name))
  errors.push(
    ...validateContainerPorts(container.ports ?? [], `${path}.ports`, spec.hostNetwork === true),
    ...validateEnv(container.env ?? [], `${path}.env`),
    ...validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`),
    ...validateMounts(container, volumes, path),
    ...validateResources(container.resources, `${path}.resources`, claims),
    ...validateProbes(container, path, spec.terminationGracePeriodSeconds ?? 30),
    ...validateContainerSecurity(container, path, spec.hostUsers),
  )
  return errors
}

/** Init containers end before the pod starts: only those that restart always may be probed. */
function validateInit(container: Container, path: string): readonly FieldError[] {
  if (container.restartPolicy === 'Always') return []
  const errors: FieldError[] = [...oneOf(container.restartPolicy, restartPolicies, `${path}.restartPolicy`)]
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[field] !== undefined)
      errors.push(forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
  }
  return errors
}

function validateEphemeral(container: EphemeralContainer, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of [
    'ports',
    'lifecycle',
    'livenessProbe',
    'readinessProbe',
    'startupProbe',
    'resizePolicy',
  ] as const) {
    if (container[field] !== undefined)
      errors.push(forbidden(`${path}.${field}`, `cannot be set for an Ephemeral Container`))
  }
  if (Object.keys(container.resources ?? {}).length > 0)
    errors.push(forbidden(`${path}.resources`, 'cannot be set for an Ephemeral Container'))
  return errors
}

function validateHostPorts(spec: PodSpec, path: string): readonly FieldError[] {
  const taken = new Set<string>()
  return (spec.containers ?? []).flatMap((container, at) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, protocol = 'TCP', hostIP = '' }, index) => {
      if (hostPort === 0) return []
      const text = `${protocol}/${hostIP}/${hostPort}`
      const errors = taken.has(text) ? [duplicate(`${path}.containers[${at}].ports[${index}].hostPort`, text)] : []
      taken.add(text)
      return errors
    }),
  )
}
