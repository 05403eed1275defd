// The autoscaler's profile as a client writes it: which words and times AKS takes.

import { invalidParameter } from '../../azure-errors.ts'
import type { Json } from '../../records.ts'
import { isObject } from '../body.ts'

const minutes = /^\d+m$/
const forms: Readonly<Record<string, readonly [RegExp, string]>> = {
  'balance-similar-node-groups': [/^(true|false)$/i, 'it is true or false'],
  expander: [/^(least-waste|most-pods|priority|random)$/, 'it is least-waste, most-pods, priority or random'],
  'max-empty-bulk-delete': [/^[1-9]\d*$/, 'it is a whole number above 0'],
  'max-graceful-termination-sec': [/^\d+$/, 'it is a whole number of seconds'],
  'max-node-provision-time': [minutes, 'it is whole minutes, such as 15m'],
  'max-total-unready-percentage': [/^(\d{1,2}|100)$/, 'it is a whole number from 0 to 100'],
  'new-pod-scale-up-delay': [/^\d+(s|m|h)$/, 'it is a time such as 10s, 5m or 1h'],
  'ok-total-unready-count': [/^\d+$/, 'it is a whole number'],
  'scan-interval': [/^[1-9]\d*s?$/, 'it is whole seconds, such as 10s'],
  'scale-down-delay-after-add': [minutes, 'it is whole minutes, such as 10m'],
  'scale-down-delay-after-delete': [/^\d+(s|m)$/, 'it is a time such as 10s'],
  'scale-down-delay-after-failure': [minutes, 'it is whole minutes, such as 3m'],
  'scale-down-unneeded-time': [minutes, 'it is whole minutes, such as 10m'],
  'scale-down-unready-time': [minutes, 'it is whole minutes, such as 20m'],
  'scale-down-utilization-threshold': [/^(0(\.\d+)?|1(\.0+)?)$/, 'it is a number from 0 to 1'],
  'skip-nodes-with-local-storage': [/^(true|false)$/i, 'it is true or false'],
  'skip-nodes-with-system-pods': [/^(true|false)$/i, 'it is true or false'],
}

/** Throws InvalidParameter. An empty text asks for the default. */
export function judgeAutoscalerProfile(profile: unknown): void {
  if (!isObject(profile)) return
  for (const [name, [form, words]] of Object.entries(forms)) {
    const value = profile[name]
    if (typeof value !== 'string' || value === '' || form.test(value)) continue
    throw invalidParameter(`autoScalerProfile.${name}`, `'${value}' is not valid: ${words}`)
  }
}

/** The profile in the words that the loop reads: seconds without a unit are given theirs. */
export function readableProfile(profile: unknown): Json {
  if (!isObject(profile)) return {}
  const scan = profile['scan-interval']
  return { ...profile, ...(typeof scan === 'string' && /^\d+$/.test(scan) ? { 'scan-interval': `${scan}s` } : {}) }
}
