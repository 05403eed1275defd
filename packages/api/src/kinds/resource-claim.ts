// ResourceClaim and its template: devices that a pod needs, and in the end those that it got.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceClaim,
  DeviceRequestAllocationResult,
  ResourceClaim,
  ResourceClaimTemplate,
} from '../types/resource-v1.ts'
import { isIpAddress } from '../validation/addresses.ts'
import {
  configMax,
  requestNamesOf,
  validateDeviceClaim,
  validateReference,
  validateReferences,
  type RequestNames,
} from '../validation/device-claim.ts'
import {
  validateConfiguration,
  validateDeviceToleration,
  validateDriverName,
  validateLabelName,
  validateParameters,
  validatePoolName,
} from '../validation/device-names.ts'
import { validateList } from '../validation/lists.ts'
import { validateAnnotations, validateLabels } from '../validation/metadata.ts'
import { validateNodeSelector } from '../validation/pod-scheduling.ts'
import { immutableComplaint } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const reservedForMax = 256
const resultsMax = 32
const deviceDataMaxBytes = 10 * 1024

function setClaimDefaults(devices: Draft<DeviceClaim>): void {
  for (const request of devices.requests ?? []) {
    for (const wish of [
      ...(request.exactly === undefined ? [] : [request.exactly]),
      ...(request.firstAvailable ?? []),
    ]) {
      if ((wish.allocationMode ?? '') === '') wish.allocationMode = 'ExactCount'
      if (wish.allocationMode === 'ExactCount' && (wish.count ?? 0) === 0) wish.count = 1
      for (const toleration of wish.tolerations ?? [])
        if ((toleration.operator ?? '') === '') toleration.operator = 'Equal'
    }
  }
}

function unchangedSpec(next: { readonly spec: unknown }, old: { readonly spec: unknown }): readonly FieldError[] {
  return deepEqual(next.spec, old.spec) ? [] : [invalid('spec', next.spec, immutableComplaint)]
}

function idOf({
  driver,
  pool,
  device,
  shareID = '',
}: Pick<AllocatedDeviceStatus, 'driver' | 'pool' | 'device' | 'shareID'>): string {
  return [driver, pool, device, ...(shareID === '' ? [] : [shareID])].join('/')
}

function validateStatus(next: ResourceClaim, old: ResourceClaim): readonly FieldError[] {
  const { allocation, reservedFor = [], devices } = next.status ?? {}
  const errors: FieldError[] = [
    ...validateList(reservedFor, 'status.reservedFor', {
      max: reservedForMax,
      item: (consumer, path) =>
        (['resource', 'name', 'uid'] as const).flatMap((field) =>
          consumer[field] === '' ? [required(`${path}.${field}`)] : [],
        ),
      key: ({ uid }) => uid,
    }),
  ]
  const given = new Set((allocation?.devices?.results ?? []).map(idOf))
  errors.push(
    ...validateList(devices, 'status.devices', { item: (one, at) => validateDevice(one, at, given), key: idOf }),
  )
  if (reservedFor.length > 0 && allocation === undefined)
    errors.push(forbidden('status.reservedFor', 'may not be specified when `allocated` is not set'))
  else if (next.metadata.deletionTimestamp !== undefined) {
    const before = new Set((old.status?.reservedFor ?? []).map(({ uid }) => uid))
    if (reservedFor.some(({ uid }) => !before.has(uid)))
      errors.push(
        forbidden(
          'status.reservedFor',
          'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
        ),
      )
  }
  if (allocation === undefined) return errors
  if (old.status?.allocation === undefined)
    return [...errors, ...validateAllocation(allocation, 'status.allocation', requestNamesOf(next.spec.devices))]
  return deepEqual(allocation, old.status.allocation)
    ? errors
    : [...errors, invalid('status.allocation', allocation, immutableComplaint)]
}

function validateAllocation(
  { devices, nodeSelector }: AllocationResult,
  path: string,
  names: RequestNames,
): readonly FieldError[] {
  return [
    ...validateList(devices?.results, `${path}.devices.results`, {
      max: resultsMax,
      item: (result, at) => validateResult(result, at, names),
    }),
    ...validateList(devices?.config, `${path}.devices.config`, {
      max: 2 * configMax,
      item(config, at) {
        const errors: FieldError[] = []
        if (config.source === '') errors.push(required(`${at}.source`))
        else if (config.source !== 'FromClass' && config.source !== 'FromClaim')
          errors.push(notSupported(`${at}.source`, config.source, ['FromClaim', 'FromClass']))
        errors.push(...validateReferences(config.requests, `${at}.requests`, names))
        return [...errors, ...validateConfiguration(config, at)]
      },
    }),
    ...(nodeSelector === undefined ? [] : validateNodeSelector(nodeSelector, `${path}.nodeSelector`)),
  ]
}

function validateResult(
  result: DeviceRequestAllocationResult,
  path: string,
  names: RequestNames,
): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateReference(result.request, `${path}.request`, names),
    ...validateDriverName(result.driver, `${path}.driver`),
    ...validatePoolName(result.pool, `${path}.pool`),
    ...validateLabelName(result.device, `${path}.device`),
  ]
  for (const [index, toleration] of (result.tolerations ?? []).entries())
    errors.push(...validateDeviceToleration(toleration, `${path}.tolerations[${index}]`))
  return errors
}

function validateDevice(
  device: AllocatedDeviceStatus,
  path: string,
  given: ReadonlySet<string>,
): readonly FieldError[] {
  const { driver, pool, device: name, data, networkData } = device
  const errors: FieldError[] = [
    ...validateDriverName(driver, `${path}.driver`),
    ...validatePoolName(pool, `${path}.pool`),
    ...validateLabelName(name, `${path}.device`),
  ]
  if (!given.has(idOf(device))) errors.push(invalid(path, idOf(device), 'must be an allocated device in the claim'))
  if (data !== undefined && Object.keys(data).length > 0)
    errors.push(...validateParameters(data, `${path}.data`, deviceDataMaxBytes))
  if (networkData === undefined) return errors
  for (const [index, ip] of (networkData.ips ?? []).entries()) {
    const [address = '', bits = ''] = ip.split('/')
    if (!isIpAddress(address) || !/^\d+$/.test(bits))
      errors.push(
        invalid(
          `${path}.networkData.ips[${index}]`,
          ip,
          'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
        ),
      )
  }
  return errors
}

function stateOf({ metadata, status }: ResourceClaim): string {
  const states: string[] = []
  if (metadata.deletionTimestamp !== undefined) states.push('deleted')
  if (status?.allocation === undefined) {
    if (metadata.deletionTimestamp === undefined) states.push('pending')
  } else {
    states.push('allocated')
    if ((status.reservedFor ?? []).length > 0) states.push('reserved')
  }
  return states.join(',')
}

export const resourceClaimRules: KindRules<ResourceClaim> = {
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  default: ({ spec }) => setClaimDefaults(spec.devices),
  validateCreate: ({ spec }) => validateDeviceClaim(spec.devices, 'spec.devices'),
  validateUpdate: unchangedSpec,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<ResourceClaim>['spec']
      },
      validateUpdate: validateStatus,
    },
  },
  columns: [nameColumn, column('State', 'What has become of it.'), ageColumn],
  cells: (claim, nowMs) => [claim.metadata.name, stateOf(claim), ageOf(claim.metadata.creationTimestamp, nowMs)],
}

export const resourceClaimTemplateRules: KindRules<ResourceClaimTemplate> = {
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  default: ({ spec }) => setClaimDefaults(spec.spec.devices),
  validateCreate: ({ spec }) => [
    ...validateLabels(spec.metadata?.labels, 'spec.metadata.labels'),
    ...validateAnnotations(spec.metadata?.annotations, 'spec.metadata.annotations'),
    ...validateDeviceClaim(spec.spec.devices, 'spec.spec.devices'),
  ],
  validateUpdate: unchangedSpec,
  columns: [nameColumn, ageColumn],
  cells: ({ metadata }, nowMs) => [metadata.name, ageOf(metadata.creationTimestamp, nowMs)],
}
