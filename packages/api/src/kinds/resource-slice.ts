// ResourceSlice: devices that a driver offers, on one node or for many.

import type { Draft } from '@aksel/base/draft'
import { formatTime } from '@aksel/base/clock'
import { invalid, required, tooLong, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceCounterConsumption,
  ResourcePool,
  ResourceSlice,
  ResourceSliceSpec,
} from '../types/resource-v1.ts'
import {
  validateAttributeName,
  validateDeviceTaint,
  validateDriverName,
  validateLabelName,
  validatePoolName,
} from '../validation/device-names.ts'
import { validateList } from '../validation/lists.ts'
import { dnsSubdomain, qualifiedName } from '../validation/names.ts'
import { validateNodeSelector } from '../validation/pod-scheduling.ts'
import { complain, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const devicesMax = 128
/** With taints or counters, whose checks cost more. */
const costlyDevicesMax = 64
const attributesMax = 32
const taintsMax = 16
const counterSetsMax = 8
const attributeMaxBytes = 64
const bindingConditionsMax = 4

const semanticVersion =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/

function validate({ spec }: ResourceSlice): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateDriverName(spec.driver, 'spec.driver'),
    ...validatePool(spec.pool),
    ...validatePlace(spec),
  ]
  const { devices, sharedCounters, perDeviceNodeSelection } = spec
  if (sharedCounters !== undefined && devices !== undefined)
    errors.push(invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed'))
  const isCostly = (devices ?? []).some(
    ({ taints = [], consumesCounters = [] }) => taints.length > 0 || consumesCounters.length > 0,
  )
  errors.push(
    ...validateList(devices, 'spec.devices', {
      max: isCostly ? costlyDevicesMax : devicesMax,
      item: (device, path) => validateDevice(device, path, perDeviceNodeSelection === true),
      key: ({ name }) => name,
    }),
    ...validateList(sharedCounters, 'spec.sharedCounters', {
      max: counterSetsMax,
      item: validateCounterSet,
      key: ({ name }) => name,
    }),
  )
  return errors
}

function validatePool({ name, resourceSliceCount, generation }: ResourcePool): readonly FieldError[] {
  const errors: FieldError[] = [...validatePoolName(name, 'spec.pool.name')]
  if (resourceSliceCount <= 0)
    errors.push(invalid('spec.pool.resourceSliceCount', resourceSliceCount, 'must be greater than zero'))
  if (generation < 0) errors.push(invalid('spec.pool.generation', generation, 'must be greater than or equal to zero'))
  return errors
}

/** One way of saying which nodes the devices are for. */
function validatePlace(spec: ResourceSliceSpec): readonly FieldError[] {
  const { nodeName, nodeSelector, allNodes, perDeviceNodeSelection } = spec
  const errors: FieldError[] = []
  const given: string[] = []
  if (nodeName === '') errors.push(invalid('spec.nodeName', '', 'must be either unset or set to a non-empty string'))
  else if (nodeName !== undefined) {
    given.push('`nodeName`')
    errors.push(...complain('spec.nodeName', nodeName, dnsSubdomain(nodeName)))
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`')
    errors.push(...validateNodeSelector(nodeSelector, 'spec.nodeSelector'))
    const terms = nodeSelector.nodeSelectorTerms
    if (terms.length !== 1)
      errors.push(invalid('spec.nodeSelector.nodeSelectorTerms', terms, 'must have exactly one node selector term'))
  }
  for (const [field, value] of [
    ['allNodes', allNodes],
    ['perDeviceNodeSelection', perDeviceNodeSelection],
  ] as const) {
    if (value === true) given.push(`\`${field}\``)
    else if (value === false) errors.push(invalid(`spec.${field}`, value, 'must be either unset or set to true'))
  }
  const words = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
  if (given.length === 0) errors.push(required('spec', words))
  if (given.length > 1) errors.push(invalid('spec', `{${given.join(', ')}}`, `${words}, but multiple fields are set`))
  return errors
}

function validateDevice(device: Device, path: string, choosesNode: boolean): readonly FieldError[] {
  const { attributes = {}, capacity = {} } = device
  const errors: FieldError[] = [...validateLabelName(device.name, `${path}.name`)]
  const count = Object.keys(attributes).length + Object.keys(capacity).length
  if (count > attributesMax)
    errors.push(invalid(path, count, `the total number of attributes and capacities must not exceed ${attributesMax}`))
  for (const [name, attribute] of Object.entries(attributes)) {
    const at = `${path}.attributes[${name}]`
    errors.push(...validateAttributeName(name, at), ...validateAttribute(attribute, at))
  }
  for (const [name, { requestPolicy }] of Object.entries(capacity)) {
    const at = `${path}.capacity[${name}]`
    errors.push(...validateAttributeName(name, at))
    if (requestPolicy !== undefined && device.allowMultipleAllocations !== true)
      errors.push({
        reason: 'FieldValueForbidden',
        field: `${at}.requestPolicy`,
        message: 'Forbidden: allowMultipleAllocations must be true',
      })
  }
  errors.push(
    ...validateList(device.taints, `${path}.taints`, { max: taintsMax, item: validateDeviceTaint }),
    ...validateList(device.consumesCounters, `${path}.consumesCounters`, {
      item: validateConsumption,
      key: ({ counterSet }) => counterSet,
    }),
    ...validateDevicePlace(device, path, choosesNode),
    ...validateBinding(device, path),
  )
  return errors
}

function validateDevicePlace(device: Device, path: string, choosesNode: boolean): readonly FieldError[] {
  const { nodeName, nodeSelector, allNodes } = device
  const given = [nodeName, nodeSelector, allNodes].filter((one) => one !== undefined).length
  if (!choosesNode) {
    const words =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
    return given === 0 ? [] : [invalid(path, undefined, words)]
  }
  const errors: FieldError[] = []
  if (nodeName === '') errors.push(invalid(`${path}.nodeName`, '', 'must not be empty'))
  else if (nodeName !== undefined) errors.push(...complain(`${path}.nodeName`, nodeName, dnsSubdomain(nodeName)))
  if (nodeSelector !== undefined) errors.push(...validateNodeSelector(nodeSelector, `${path}.nodeSelector`))
  if (allNodes === false) errors.push(invalid(`${path}.allNodes`, false, 'must be either unset or set to true'))
  const words =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
  if (given === 0) errors.push(required(path, words))
  if (given > 1) errors.push(invalid(path, '', words))
  return errors
}

function validateBinding(device: Device, path: string): readonly FieldError[] {
  const { bindingConditions = [], bindingFailureConditions = [] } = device
  const errors: FieldError[] = []
  for (const [field, list] of [
    ['bindingConditions', bindingConditions],
    ['bindingFailureConditions', bindingFailureConditions],
  ] as const) {
    const item = (condition: string, at: string): readonly FieldError[] =>
      complain(at, condition, qualifiedName(condition))
    errors.push(...validateList(list, `${path}.${field}`, { max: bindingConditionsMax, item, key: (name) => name }))
  }
  return errors
}

function validateAttribute(attribute: DeviceAttribute, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { string: text, version } = attribute
  if (text !== undefined && text.length > attributeMaxBytes) errors.push(tooLong(`${path}.string`, attributeMaxBytes))
  if (version !== undefined) {
    if (!semanticVersion.test(version))
      errors.push(invalid(`${path}.version`, version, 'must be a string compatible with semver.org spec 2.0.0'))
    if (version.length > attributeMaxBytes) errors.push(tooLong(`${path}.version`, attributeMaxBytes))
  }
  const given = Object.values(attribute).filter((one) => one !== undefined).length
  if (given === 1) return errors
  return [...errors, invalid(path, given === 0 ? '' : attribute, 'exactly one value must be specified')]
}

function validateCounterSet({ name, counters }: CounterSet, path: string): readonly FieldError[] {
  const errors: FieldError[] = name === '' ? [required(`${path}.name`)] : [...validateLabelName(name, `${path}.name`)]
  return [...errors, ...validateCounters(counters, `${path}.counters`)]
}

function validateConsumption({ counterSet, counters }: DeviceCounterConsumption, path: string): readonly FieldError[] {
  const at = `${path}.counterSet`
  const errors: FieldError[] = counterSet === '' ? [required(at)] : [...validateLabelName(counterSet, at)]
  return [...errors, ...validateCounters(counters, `${path}.counters`)]
}

function validateCounters(counters: Readonly<Record<string, unknown>>, path: string): readonly FieldError[] {
  const names = Object.keys(counters)
  if (names.length === 0) return [required(path)]
  return names.flatMap((name) => validateLabelName(name, `${path}[${name}]`))
}

function stampTaints({ spec }: Draft<ResourceSlice>, nowMs: number): void {
  for (const device of spec.devices ?? [])
    for (const taint of device.taints ?? []) taint.timeAdded ??= formatTime(nowMs)
}

export const resourceSliceRules: KindRules<ResourceSlice> = {
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  generationFields: ['spec'],
  prepareForCreate: (slice, { nowMs }) => stampTaints(slice, nowMs),
  prepareForUpdate: (slice, _old, { nowMs }) => stampTaints(slice, nowMs),
  validateCreate: validate,
  validateUpdate: (next, old) => [
    ...validate(next),
    ...unchanged(next.spec.pool.name, old.spec.pool.name, 'spec.pool.name'),
    ...unchanged(next.spec.driver, old.spec.driver, 'spec.driver'),
    ...unchanged(next.spec.nodeName, old.spec.nodeName, 'spec.nodeName'),
  ],
  columns: [
    nameColumn,
    column('Node', 'The node that has the devices.'),
    column('Driver', 'The driver that offers them.'),
    column('Pool', 'The pool that they belong to.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    spec.nodeName ?? '',
    spec.driver,
    spec.pool.name,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
  selectableFields: ({ spec }) => ({ 'spec.nodeName': spec.nodeName ?? '', 'spec.driver': spec.driver }),
}
