// What the status of a pod may not claim, and what in it stays as it was.

import { duplicate, forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { ContainerStatus, Pod, PodCondition, PodResourceClaimStatus, PodSpec } from '../types/core-v1.ts'
import { ipComplaint, isIpAddress } from '../validation/addresses.ts'
import { couldRestartAll, restartsAfter } from '../pod-restarts.ts'
import { dnsSubdomain, qualifiedName } from '../validation/names.ts'
import { validateAnnotationUpdates } from '../validation/pod-annotations.ts'
import { complain } from '../validation/values.ts'

const systemConditions = ['PodScheduled', 'Ready', 'Initialized']

export function validatePodStatus(next: Pod, old: Pod): readonly FieldError[] {
  const [now, before] = [next.status ?? {}, old.status ?? {}]
  const errors: FieldError[] = [
    ...validateAnnotationUpdates(next.metadata.annotations ?? {}, old.metadata.annotations ?? {}),
    ...validateConditions(now.conditions ?? []),
  ]
  const nominated = now.nominatedNodeName ?? ''
  if (nominated !== '' && nominated !== before.nominatedNodeName)
    errors.push(...complain('status.nominatedNodeName', nominated, dnsSubdomain(nominated)))
  if ((before.qosClass ?? '') !== '' && now.qosClass !== before.qosClass)
    errors.push(invalid('status.qosClass', now.qosClass, 'field is immutable'))
  const { spec } = old
  errors.push(
    ...validateEnds('containerStatuses', now.containerStatuses, before.containerStatuses, (status) =>
      mayRestart(spec, status, spec.containers ?? []),
    ),
    ...validateEnds('initContainerStatuses', now.initContainerStatuses, before.initContainerStatuses, (status) =>
      mayRestart(spec, status, spec.initContainers ?? []),
    ),
    // Nobody restarts a container that only came to look.
    ...validateEnds(
      'ephemeralContainerStatuses',
      now.ephemeralContainerStatuses,
      before.ephemeralContainerStatuses,
      () => false,
    ),
    ...validateClaims(now.resourceClaimStatuses ?? [], spec),
    ...validateAddresses(now.podIPs ?? [], 'status.podIPs'),
    ...validateHostAddresses(now.hostIP, now.hostIPs ?? []),
  )
  if ((now.observedGeneration ?? 0) < 0) {
    const words = 'must be greater than or equal to 0'
    errors.push(invalid('status.observedGeneration', now.observedGeneration, words))
  }
  return errors
}

/** Upstream's path: the conditions are said to lie in the metadata. */
function validateConditions(conditions: readonly PodCondition[]): readonly FieldError[] {
  return conditions.flatMap(({ type }, index) =>
    systemConditions.includes(type) ? [] : complain(`metadata.conditions[${index}].Type`, type, qualifiedName(type)),
  )
}

function mayRestart(spec: PodSpec, status: ContainerStatus, containers: NonNullable<PodSpec['containers']>): boolean {
  if (spec.restartPolicy === 'Always' || couldRestartAll(spec)) return true
  const own = containers.find(({ name }) => name === status.name)
  return own !== undefined && restartsAfter(spec, own, status.state?.terminated?.exitCode ?? 0)
}

/** Over is over, where nothing restarts a container. */
function validateEnds(
  field: string,
  next: readonly ContainerStatus[] | undefined,
  old: readonly ContainerStatus[] | undefined,
  restarts: (status: ContainerStatus) => boolean,
): readonly FieldError[] {
  return (old ?? []).flatMap((before, index) => {
    if (before.state?.terminated === undefined || restarts(before)) return []
    const now = (next ?? []).find(({ name }) => name === before.name)
    if (now === undefined || now.state?.terminated !== undefined) return []
    return [forbidden(`status.${field}[${index}].state`, 'may not be transitioned to non-terminated state')]
  })
}

function validateClaims(statuses: readonly PodResourceClaimStatus[], spec: PodSpec): readonly FieldError[] {
  const known = new Set((spec.resourceClaims ?? []).map(({ name }) => name))
  const seen = new Set<string>()
  return statuses.flatMap(({ name, resourceClaimName }, index) => {
    const at = `status.resourceClaimStatuses[${index}].name`
    const errors: FieldError[] = known.has(name)
      ? []
      : [invalid(at, name, 'must match the name of an entry in `spec.resourceClaims`')]
    if (seen.has(name)) errors.push(duplicate(at, name))
    seen.add(name)
    if (resourceClaimName !== undefined)
      errors.push(...complain(at, resourceClaimName, dnsSubdomain(resourceClaimName)))
    return errors
  })
}

interface Address {
  readonly ip: string
}

function validateAddresses(addresses: readonly Address[], path: string): readonly FieldError[] {
  const errors: FieldError[] = addresses.flatMap(({ ip }, index) =>
    isIpAddress(ip) ? [] : [invalid(`${path}[${index}]`, ip, ipComplaint)],
  )
  if (addresses.length < 2) return errors
  const families = new Set(addresses.map(({ ip }) => ip.includes(':')))
  if (addresses.length > 2 || families.size < 2)
    errors.push(invalid(path, addresses, 'may specify no more than one IP for each IP family'))
  for (const [index, address] of addresses.entries())
    if (addresses.findIndex(({ ip }) => ip === address.ip) < index) errors.push(duplicate(`${path}[${index}]`, address))
  return errors
}

function validateHostAddresses(hostIP: string | undefined, addresses: readonly Address[]): readonly FieldError[] {
  const [first] = addresses
  if (first === undefined) return []
  const errors: FieldError[] =
    first.ip === hostIP ? [] : [invalid('status.hostIPs[0].ip', first.ip, 'must be equal to `hostIP`')]
  return [...errors, ...validateAddresses(addresses, 'status.hostIPs')]
}
