// Node: a machine that runs pods. It registers with its status; what the cloud gave it cannot change.

import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Node } from '../types/core-v1.ts'
import { validateTaint } from '../validation/taints.ts'
import { ageColumn, column, nameColumn, orNone, wide } from './columns.ts'

function validateSpec(node: Node): readonly FieldError[] {
  const errors: FieldError[] = []
  const taints = node.spec?.taints ?? []
  for (const [index, taint] of taints.entries()) {
    const path = `spec.taints[${index}]`
    errors.push(...validateTaint(taint, path))
    if (taints.slice(0, index).some((other) => other.key === taint.key && other.effect === taint.effect))
      errors.push(duplicate(path, taint))
  }
  const cidrs = node.spec?.podCIDRs ?? []
  if (cidrs.length > 2)
    errors.push(invalid('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'))
  for (const [index, cidr] of cidrs.entries()) {
    if (!/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(cidr))
      errors.push(
        invalid(`spec.podCIDRs[${index}]`, cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'),
      )
  }
  return errors
}

function validateUpdate(next: Node, old: Node): readonly FieldError[] {
  const errors: FieldError[] = [...validateSpec(next)]
  const {
    podCIDR: _a,
    podCIDRs: nextCidrs = [],
    providerID: nextId,
    taints: _b,
    unschedulable: _c,
    configSource: _d,
    ...nextRest
  } = next.spec ?? {}
  const {
    podCIDR: _e,
    podCIDRs: oldCidrs = [],
    providerID: oldId,
    taints: _f,
    unschedulable: _g,
    configSource: _h,
    ...oldRest
  } = old.spec ?? {}
  if (oldCidrs.length > 0 && !deepEqual(nextCidrs, oldCidrs)) {
    errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  }
  if (oldId !== undefined && nextId !== oldId) {
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  }
  if (!deepEqual(nextRest, oldRest)) {
    errors.push(
      forbidden(
        'spec',
        'node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)',
      ),
    )
  }
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
      node.status.allocatable = structuredClone(node.status.capacity)
    }
    if (node.spec?.podCIDR !== undefined && node.spec.podCIDRs === undefined) node.spec.podCIDRs = [node.spec.podCIDR]
    if (node.spec?.podCIDRs !== undefined && node.spec.podCIDR === undefined) node.spec.podCIDR = node.spec.podCIDRs[0]!
  },
  validateCreate: validateSpec,
  validateUpdate,
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
