// What CSI keeps in the API: drivers, the drivers of each node, and attachments of volumes to nodes.

import type { Draft } from '@aksel/base/draft'
import { duplicate, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { CSIDriver, CSINode, VolumeAttachment } from '../types/storage-v1.ts'
import { validateDriverName } from '../validation/device-names.ts'
import { qualifiedName } from '../validation/names.ts'
import { complain, nonNegative, oneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const nodeIdMax = 192

function defaultDriver({ spec }: Draft<CSIDriver>): void {
  spec.attachRequired ??= true
  spec.podInfoOnMount ??= false
  spec.storageCapacity ??= false
  spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
  if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent']
  spec.requiresRepublish ??= false
  spec.seLinuxMount ??= false
}

function validateDriver({ metadata, spec }: CSIDriver): readonly FieldError[] {
  const errors: FieldError[] = [...validateDriverName(metadata.name, 'metadata.name')]
  errors.push(...oneOf(spec.fsGroupPolicy, ['ReadWriteOnceWithFSType', 'File', 'None'], 'spec.fsGroupPolicy'))
  for (const mode of spec.volumeLifecycleModes ?? [])
    errors.push(...oneOf(mode, ['Ephemeral', 'Persistent'], 'spec.volumeLifecycleModes'))
  const audiences = new Set<string>()
  for (const [index, { audience, expirationSeconds: seconds }] of (spec.tokenRequests ?? []).entries()) {
    const at = `spec.tokenRequests[${index}].expirationSeconds`
    if (seconds !== undefined && seconds < 600)
      errors.push(invalid(at, seconds, 'may not specify a duration less than 10 minutes'))
    if (seconds !== undefined && seconds > 2 ** 32)
      errors.push(invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds'))
    if (audiences.has(audience)) errors.push(duplicate(`spec.tokenRequests[${index}].audience`, audience))
    audiences.add(audience)
  }
  const period = spec.nodeAllocatableUpdatePeriodSeconds
  if (period !== undefined && period < 10)
    errors.push(
      invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds'),
    )
  return errors
}

export const csiDriverRules: KindRules<CSIDriver> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  generationFields: ['spec.tokenRequests', 'spec.requiresRepublish', 'spec.fsGroupPolicy'],
  default: defaultDriver,
  validateCreate: validateDriver,
  validateUpdate: (next, old) => [
    ...validateDriver(next),
    ...unchanged(next.spec.attachRequired, old.spec.attachRequired, 'spec.attachedRequired'),
    ...unchanged(next.spec.volumeLifecycleModes, old.spec.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ],
  columns: [
    nameColumn,
    column('AttachRequired', 'Whether volumes are attached before they are mounted.', 'boolean'),
    column('PodInfoOnMount', 'Whether the driver is told of the pod.', 'boolean'),
    column('StorageCapacity', 'Whether the scheduler heeds its capacity.', 'boolean'),
    column('TokenRequests', 'Audiences of the tokens that it gets.'),
    column('RequiresRepublish', 'Whether mounts are refreshed.', 'boolean'),
    column('Modes', 'Lives of its volumes.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    spec.attachRequired !== false,
    spec.podInfoOnMount === true,
    spec.storageCapacity === true,
    (spec.tokenRequests ?? []).length === 0 ? '<unset>' : spec.tokenRequests!.map(({ audience }) => audience).join(','),
    spec.requiresRepublish === true,
    (spec.volumeLifecycleModes ?? []).join(','),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}

function validateNode({ spec }: CSINode): readonly FieldError[] {
  const names = new Set<string>()
  return (spec.drivers ?? []).flatMap((driver, index) => {
    const path = `spec.drivers[${index}]`
    const errors: FieldError[] = [...validateDriverName(driver.name, `${path}.name`)]
    if (driver.nodeID === '') errors.push(required(`${path}.nodeID`))
    else if (driver.nodeID.length > nodeIdMax)
      errors.push(invalid(`${path}.nodeID`, driver.nodeID, `must be ${nodeIdMax} characters or less`))
    if (names.has(driver.name)) errors.push(duplicate(`${path}.name`, driver.name))
    names.add(driver.name)
    errors.push(...nonNegative(driver.allocatable?.count, `${path}.allocatable.count`))
    const keys = driver.topologyKeys ?? []
    for (const [place, key] of keys.entries()) {
      const at = `${path}.topologyKeys[${place}]`
      if (keys.indexOf(key) < place) errors.push(duplicate(at, key))
      errors.push(...complain(at, key, qualifiedName(key)))
    }
    return errors
  })
}

export const csiNodeRules: KindRules<CSINode> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  validateCreate: validateNode,
  validateUpdate(next, old) {
    const errors: FieldError[] = [...validateNode(next)]
    for (const before of old.spec.drivers ?? []) {
      const index = (next.spec.drivers ?? []).findIndex(({ name }) => name === before.name)
      if (index >= 0)
        errors.push(...unchanged(next.spec.drivers![index]!.nodeID, before.nodeID, `spec.drivers[${index}].nodeID`))
    }
    return errors
  },
  columns: [nameColumn, column('Drivers', 'How many drivers the node has.', 'integer'), ageColumn],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    (spec.drivers ?? []).length,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}

function validateAttachment({ spec }: VolumeAttachment): readonly FieldError[] {
  const errors: FieldError[] = [...validateDriverName(spec.attacher, 'spec.attacher')]
  const { persistentVolumeName, inlineVolumeSpec } = spec.source
  if (persistentVolumeName === undefined && inlineVolumeSpec === undefined)
    errors.push(required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'))
  else if (persistentVolumeName !== undefined && inlineVolumeSpec !== undefined) {
    errors.push(
      invalid('spec.source', spec.source, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'),
    )
  } else if (persistentVolumeName === '')
    errors.push(required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName'))
  return spec.nodeName === '' ? [...errors, required('spec.nodeName')] : errors
}

export const volumeAttachmentRules: KindRules<VolumeAttachment> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  validateCreate: validateAttachment,
  validateUpdate: (next, old) => [...validateAttachment(next), ...unchanged(next.spec, old.spec, 'spec')],
  columns: [
    nameColumn,
    column('Attacher', 'The driver.'),
    column('PV', 'The volume.'),
    column('Node', 'The node.'),
    column('Attached', 'Whether it is there.', 'boolean'),
    ageColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec.attacher,
    spec.source.persistentVolumeName ?? '',
    spec.nodeName,
    status?.attached === true,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
