// When a pod has to leave the devices that it uses. Pure.

import type { DeviceTaint, DeviceToleration, ResourceClaim } from '@aksel/api/types/resource-v1'
import { toleratesDeviceTaint } from '@aksel/runtime/device-taints'

export interface UsedDevice {
  readonly driver: string
  readonly pool: string
  readonly name: string
  readonly tolerations: readonly DeviceToleration[]
}

/** Devices of an allocated claim. */
export function devicesOf({ status }: ResourceClaim): readonly UsedDevice[] {
  return (status?.allocation?.devices?.results ?? []).map(({ driver, pool, device, tolerations = [] }) => ({
    driver,
    pool,
    name: device,
    tolerations,
  }))
}

/**
 * Wall time, milliseconds; undefined: it may stay. A taint without a time stands since now; `sinceMs`: when the devices became the
 * pod's, before which no time runs.
 */
export function judgeDevices(
  used: readonly { readonly taints: readonly DeviceTaint[]; readonly tolerations: readonly DeviceToleration[] }[],
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): number | undefined {
  let dueMs: number | undefined
  for (const { taints, tolerations } of used)
    for (const taint of taints) {
      if (taint.effect !== 'NoExecute') continue
      const matching = tolerations.filter((toleration) => toleratesDeviceTaint(toleration, taint))
      const seconds = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? [])
      if (matching.length > 0 && seconds.length === 0) continue
      const addedMs = taint.timeAdded === undefined ? nowMs : Date.parse(taint.timeAdded)
      const leaveMs =
        matching.length === 0 ? nowMs : Math.max(addedMs, sinceMs) + Math.max(0, Math.min(...seconds)) * 1000
      dueMs = Math.min(dueMs ?? leaveMs, leaveMs)
    }
  return dueMs
}
