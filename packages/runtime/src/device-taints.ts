// Taints of devices: those that their driver gives them, and those that rules of an administrator add.

import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import type { DeviceTaint, DeviceToleration } from '@aksel/api/types/resource-v1'

export interface NamedDevice {
  readonly driver: string
  readonly pool: string
  readonly name: string
  readonly taints?: readonly DeviceTaint[] | undefined
}

/** A rule without a selector is for no device; what its selector leaves out matches every device. */
export function deviceTaints(device: NamedDevice, rules: readonly DeviceTaintRule[]): readonly DeviceTaint[] {
  const own = device.taints ?? []
  const ruled = rules.filter(({ spec: { deviceSelector: of } }) => {
    if (of === undefined) return false
    const { driver = device.driver, pool = device.pool, device: name = device.name } = of
    return driver === device.driver && pool === device.pool && name === device.name
  })
  return ruled.length === 0 ? own : [...own, ...ruled.map(({ spec }) => spec.taint)]
}

export function toleratesDeviceTaint(toleration: DeviceToleration, taint: DeviceTaint): boolean {
  const { key = '', operator = 'Equal', value = '', effect = '' } = toleration
  if (effect !== '' && effect !== taint.effect) return false
  if (key !== '' && key !== taint.key) return false
  return operator === 'Exists' || (operator === 'Equal' && value === (taint.value ?? ''))
}
