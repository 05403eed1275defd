// Node: a machine that runs pods. It registers with its status; what the cloud gave it cannot change.

import { draftOf } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Node, Taint } from '../types/core-v1.ts'
import { cidrComplaint, isLegacyCidr } from '../validation/addresses.ts'
import { validateQuantity } from '../validation/resources.ts'
import { validateTaint } from '../validation/taints.ts'
import { ageColumn, column, nameColumn, orNone, wide } from './columns.ts'

/** Upstream's paths: the taints are said to lie in the metadata. */
function validateTaints(taints: readonly Taint[]): readonly FieldError[] {
  return taints.flatMap((taint, index) => {
    const path = `metadata.taints[${index}]`
    const errors: FieldError[] = [...validateTaint(taint, path)]
    const isTwin = taints.slice(0, index).some(({ key, effect }) => key === taint.key && effect === taint.effect)
    if (!isTwin) return errors
    const twin = duplicate(path, taint)
    return [...errors, { ...twin, message: `${twin.message}: taints must be unique by key and effect pair` }]
  })
}

function validateCidrs(cidrs: readonly string[]): readonly FieldError[] {
  const at = 'spec.podCIDRs'
  const errors: FieldError[] = cidrs.flatMap((cidr, index) =>
    isLegacyCidr(cidr) ? [] : [invalid(`${at}[${index}]`, cidr, cidrComplaint)],
  )
  if (cidrs.length < 2) return errors
  const families = new Set(cidrs.map((cidr) => cidr.includes(':')))
  if (cidrs.length > 2 || families.size < 2)
    errors.push(invalid(at, cidrs, 'may specify no more than one CIDR for each IP family'))
  for (const [index, cidr] of cidrs.entries())
    if (cidrs.indexOf(cidr) < index) errors.push(duplicate(`${at}[${index}]`, cidr))
  return errors
}

function validateResources(node: Node): readonly FieldError[] {
  return (['capacity', 'allocatable'] as const).flatMap((part) =>
    Object.entries(node.status?.[part] ?? {}).flatMap(([name, quantity]) =>
      validateQuantity(quantity, `status.${part}.${name}`),
    ),
  )
}

function validateSpec(node: Node): readonly FieldError[] {
  const { taints = [], podCIDRs = [] } = node.spec ?? {}
  return [...validateTaints(taints), ...validateResources(node), ...validateCidrs(podCIDRs)]
}

function validateUpdate(next: Node, old: Node): readonly FieldError[] {
  const errors: FieldError[] = [...validateResources(next)]
  const addresses = next.status?.addresses ?? []
  for (const [index, address] of addresses.entries())
    if (addresses.slice(0, index).some((other) => deepEqual(other, address)))
      errors.push(duplicate(`status.addresses[${index}]`, address))
  const [before, now] = [old.spec?.podCIDRs ?? [], next.spec?.podCIDRs ?? []]
  if (before.length > 0 && !deepEqual(now, before))
    errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  const id = old.spec?.providerID ?? ''
  if (id !== '' && next.spec?.providerID !== id)
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  errors.push(...validateTaints(next.spec?.taints ?? []))
  if ((next.spec?.externalID ?? '') !== (old.spec?.externalID ?? ''))
    errors.push(forbidden('spec.externalID', 'may not be updated'))
  return errors
}

function rolesOf(node: Node): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith('node-role.kubernetes.io/')) {
      const role = key.slice('node-role.kubernetes.io/'.length)
      if (role !== '') roles.add(role)
    } else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return orNone([...roles].sort().join(','))
}

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (node.spec?.unschedulable === true) words.push('SchedulingDisabled')
  return words.join(',')
}

function addressOf(node: Node, type: string): string {
  return orNone(node.status?.addresses?.find((address) => address.type === type)?.address)
}

function orUnknown(text: string | undefined): string {
  return text === undefined || text === '' ? '<unknown>' : text
}

export const nodeRules: KindRules<Node> = {
  group: '',
  version: 'v1',
  kind: 'Node',
  storagePrefix: 'minions',
  keepStatusOnCreate: true,
  default(node) {
    if (node.status?.capacity !== undefined && node.status.allocatable === undefined) {
      node.status.allocatable = draftOf(node.status.capacity)
    }
    if (node.spec?.podCIDR !== undefined && node.spec.podCIDRs === undefined) node.spec.podCIDRs = [node.spec.podCIDR]
    if (node.spec?.podCIDRs !== undefined && node.spec.podCIDR === undefined) node.spec.podCIDR = node.spec.podCIDRs[0]!
  },
  validateCreate: validateSpec,
  warnings: ({ spec }) => [
    ...(spec?.configSource === undefined ? [] : ['spec.configSource: the spec.configSource field is ignored']),
    ...((spec?.externalID ?? '') === ''
      ? []
      : ['spec.externalID: this field is deprecated, and is unused by Kubernetes']),
  ],
  legacyAddresses: ({ spec }) =>
    (spec?.podCIDRs ?? []).map((text, index) => ({
      path: `spec.podCIDRs[${index}]`,
      kind: 'cidr',
      text,
    })),
  validateUpdate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        if (old.spec === undefined) delete (next as { spec?: unknown }).spec
        else next.spec = draftOf(old.spec) as NonNullable<typeof next.spec>
      },
      validateUpdate,
    },
  },
  columns: [
    nameColumn,
    column('Status', 'Ready, NotReady or Unknown, and whether pods may be scheduled.'),
    column('Roles', 'From its node-role labels.'),
    ageColumn,
    column('Version', 'Version of the node agent.'),
    wide('Internal-IP', 'Its address inside the network.'),
    wide('External-IP', 'Its public address.'),
    wide('OS-Image', 'What it runs.'),
    wide('Kernel-Version', 'Version of its kernel.'),
    wide('Container-Runtime', 'What runs its containers.'),
  ],
  cells: (node, nowMs) => [
    node.metadata.name,
    statusOf(node),
    rolesOf(node),
    ageOf(node.metadata.creationTimestamp, nowMs),
    node.status?.nodeInfo?.kubeletVersion ?? '',
    addressOf(node, 'InternalIP'),
    addressOf(node, 'ExternalIP'),
    orUnknown(node.status?.nodeInfo?.osImage),
    orUnknown(node.status?.nodeInfo?.kernelVersion),
    orUnknown(node.status?.nodeInfo?.containerRuntimeVersion),
  ],
  selectableFields: (node) => ({ 'spec.unschedulable': String(node.spec?.unschedulable === true) }),
}
