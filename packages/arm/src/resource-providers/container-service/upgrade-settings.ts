// How a pool may be upgraded: surge, unavailable nodes, drain, soak, blue-green. What AKS refuses is refused. Pure.

import { invalidParameter } from '../../azure-errors.ts'
import type { Json, PoolProperties } from '../../records.ts'
import { amountOf } from '../../upgrade-plan.ts'

const path = (name: string): string => `agentPoolProfile.${name}`

/** Throws InvalidParameter. */
export function judgeUpgradeSettings(pool: PoolProperties): void {
  const settings = (pool.upgradeSettings ?? {}) as Json
  const surge = amount('upgradeSettings.maxSurge', settings['maxSurge'] ?? '10%', pool.count)
  const unavailable = amount('upgradeSettings.maxUnavailable', settings['maxUnavailable'] ?? '0', pool.count)
  if (isZero(settings['maxSurge']) && unavailable === 0) {
    throw invalidParameter(
      path('upgradeSettings.maxSurge'),
      'maxSurge and maxUnavailable cannot both be 0: no node could be upgraded',
    )
  }
  if (unavailable > 0 && pool.mode === 'System') {
    throw invalidParameter(
      path('upgradeSettings.maxUnavailable'),
      'maxUnavailable cannot be set on agent pools of mode System',
    )
  }
  if (surge + pool.count > 1000 && pool.count < 1000 && surge > pool.count) {
    throw invalidParameter(path('upgradeSettings.maxSurge'), `maxSurge ${String(settings['maxSurge'])} is out of range`)
  }
  between('upgradeSettings.drainTimeoutInMinutes', settings['drainTimeoutInMinutes'], 1, 1440)
  between('upgradeSettings.nodeSoakDurationInMinutes', settings['nodeSoakDurationInMinutes'], 0, 30)
  oneOf('upgradeSettings.undrainableNodeBehavior', settings['undrainableNodeBehavior'], ['Schedule', 'Cordon'])
  oneOf('upgradeStrategy', pool['upgradeStrategy'], ['Rolling', 'BlueGreen'])
  judgeBlueGreen((pool['upgradeSettingsBlueGreen'] ?? {}) as Json, pool.count)
}

function judgeBlueGreen(settings: Json, count: number): void {
  const name = 'upgradeSettingsBlueGreen'
  amount(`${name}.drainBatchSize`, settings['drainBatchSize'] ?? '10%', count)
  if (isZero(settings['drainBatchSize'])) {
    throw invalidParameter(path(`${name}.drainBatchSize`), 'drainBatchSize cannot be 0')
  }
  between(`${name}.drainTimeoutInMinutes`, settings['drainTimeoutInMinutes'], 1, 1440)
  between(`${name}.batchSoakDurationInMinutes`, settings['batchSoakDurationInMinutes'], 0, 1440)
  between(`${name}.finalSoakDurationInMinutes`, settings['finalSoakDurationInMinutes'], 0, 10_080)
}

function isZero(value: unknown): boolean {
  return value === '0' || value === '0%'
}

function amount(name: string, value: unknown, count: number): number {
  const found = amountOf(value, count)
  if (found !== undefined && (!String(value).endsWith('%') || Number.parseInt(String(value), 10) <= 100)) return found
  throw invalidParameter(path(name), `'${String(value)}' is neither a whole number nor a percentage from 0% to 100%`)
}

function between(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== 'number' || (value >= least && value <= most)) return
  throw invalidParameter(path(name), `${value} is out of range, it must be in the range [${least}, ${most}]`)
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || (typeof value === 'string' && allowed.includes(value))) return
  throw invalidParameter(
    path(name),
    `'${JSON.stringify(value)}' is not one of the allowed values: ${allowed.join(', ')}`,
  )
}
