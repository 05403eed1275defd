// DeviceTaintRule: a taint that an administrator puts on devices, without their driver. Off unless its version is switched on.

import { formatTime } from '@aksel/base/clock'
import type { Draft } from '@aksel/base/draft'
import type { FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import { ageOf } from '../times.ts'
import type { DeviceSelector, DeviceTaint } from '../types/resource-v1.ts'
import { validateSelectors } from '../validation/device-claim.ts'
import {
  validateDeviceTaint,
  validateDriverName,
  validateLabelName,
  validatePoolName,
} from '../validation/device-names.ts'
import { dnsSubdomain } from '../validation/names.ts'
import { complain } from '../validation/values.ts'
import { ageColumn, nameColumn } from './columns.ts'

export interface DeviceTaintRule extends KubernetesObject {
  readonly spec: {
    /** Absent: no device at all. */
    readonly deviceSelector?: {
      readonly driver?: string
      readonly pool?: string
      readonly device?: string
      /** Both of 1.34 alone. */
      readonly deviceClassName?: string
      readonly selectors?: readonly DeviceSelector[]
    }
    readonly taint: DeviceTaint
  }
}

function validate({ spec }: DeviceTaintRule): readonly FieldError[] {
  const at = 'spec.deviceSelector'
  const { deviceClassName: className, driver, pool, device, selectors } = spec.deviceSelector ?? {}
  return [
    ...(className === undefined ? [] : complain(`${at}.deviceClassName`, className, dnsSubdomain(className))),
    ...(driver === undefined ? [] : validateDriverName(driver, `${at}.driver`)),
    ...(pool === undefined ? [] : validatePoolName(pool, `${at}.pool`)),
    ...(device === undefined ? [] : validateLabelName(device, `${at}.device`)),
    ...validateSelectors(selectors, `${at}.selectors`),
    ...validateDeviceTaint(spec.taint, 'spec.taint'),
  ]
}

function stamp({ spec }: Draft<DeviceTaintRule>, nowMs: number): void {
  spec.taint.timeAdded ??= formatTime(nowMs)
}

function rulesOf(version: string): KindRules<DeviceTaintRule> {
  return {
    group: 'resource.k8s.io',
    version,
    kind: 'DeviceTaintRule',
    generationFields: ['spec'],
    prepareForCreate: (rule, { nowMs }) => stamp(rule, nowMs),
    prepareForUpdate: (rule, _old, { nowMs }) => stamp(rule, nowMs),
    validateCreate: validate,
    validateUpdate: validate,
    columns: [nameColumn, ageColumn],
    cells: ({ metadata }, nowMs) => [metadata.name, ageOf(metadata.creationTimestamp, nowMs)],
  }
}

/** The alpha of all minors, and the beta of 1.36. */
export const deviceTaintRuleRules: readonly KindRules<DeviceTaintRule>[] = [rulesOf('v1alpha3'), rulesOf('v1beta2')]
