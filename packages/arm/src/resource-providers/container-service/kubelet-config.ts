// `kubeletConfig` of an agent pool: what may be asked of its nodes, and how the nodes are told. Pure.

import { durationMs } from '@aksel/base/duration'
import { invalidParameter } from '../../azure-errors.ts'
import { isObject } from '../body.ts'

/** Throws InvalidParameter for what AKS refuses. */
export function judgeKubeletConfig(value: unknown): void {
  if (!isObject(value)) return
  const refuse = (name: string, why: string): never => {
    const field = `agentPoolProfile.kubeletConfig.${name}`
    throw invalidParameter(field, `kubeletConfig.${name} ${why}`)
  }
  const oneOf = (name: string, allowed: readonly string[]): void => {
    const given = value[name]
    if (typeof given === 'string' && !allowed.includes(given)) {
      refuse(name, `'${given}' is not one of the allowed values: ${allowed.join(', ')}`)
    }
  }
  const between = (name: string, least: number, most: number): void => {
    const given = value[name]
    if (typeof given === 'number' && (given < least || given > most)) {
      refuse(name, `${given} is out of range, it must be in the range [${least}, ${most}]`)
    }
  }
  oneOf('cpuManagerPolicy', ['none', 'static'])
  oneOf('topologyManagerPolicy', ['none', 'best-effort', 'restricted', 'single-numa-node'])
  between('imageGcHighThreshold', 0, 100)
  between('imageGcLowThreshold', 0, 100)
  between('containerLogMaxFiles', 2, Number.MAX_SAFE_INTEGER)
  between('containerLogMaxSizeMB', 1, Number.MAX_SAFE_INTEGER)
  const period = value['cpuCfsQuotaPeriod']
  if (typeof period === 'string' && !isPeriod(period)) {
    refuse('cpuCfsQuotaPeriod', `'${period}' is no duration between 1ms and 1s, such as 100ms`)
  }
  const sysctls = value['allowedUnsafeSysctls']
  const foreign = (Array.isArray(sysctls) ? sysctls : []).find((name) => !ownSysctl.test(String(name)))
  if (foreign !== undefined) {
    refuse(
      'allowedUnsafeSysctls',
      `'${String(foreign)}' is none of kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, net.*`,
    )
  }
  const low = Number(value['imageGcLowThreshold'] ?? 80)
  const high = Number(value['imageGcHighThreshold'] ?? 85)
  if (low >= high) {
    refuse('imageGcLowThreshold', `${low} must be less than imageGcHighThreshold ${high}`)
  }
}

/** Settings that a namespace has of its own: a node may allow pods no others. */
const ownSysctl = /^(kernel\.(shm|msg)|kernel\.sem$|fs\.mqueue\.|net\.)[-_a-z0-9./]*\*?$/

function isPeriod(text: string): boolean {
  try {
    const ms = durationMs('cpuCfsQuotaPeriod', text)
    return ms >= 1 && ms <= 1000
  } catch {
    return false
  }
}

/** Fields of a KubeletConfiguration for the pool's nodes; undefined where nothing was asked for. */
export function kubeletOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isObject(value)) return undefined
  const fields: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(value)) {
    const told = tellings[name]
    if (told !== undefined && given !== undefined) Object.assign(fields, told(given))
  }
  return Object.keys(fields).length === 0 ? undefined : fields
}

const tellings: Readonly<Record<string, (value: unknown) => Readonly<Record<string, unknown>>>> = {
  cpuManagerPolicy: (value) => ({ cpuManagerPolicy: value }),
  imageGcHighThreshold: (value) => ({ imageGCHighThresholdPercent: value }),
  imageGcLowThreshold: (value) => ({ imageGCLowThresholdPercent: value }),
  containerLogMaxSizeMB: (value) => ({ containerLogMaxSize: `${String(value)}M` }),
  containerLogMaxFiles: (value) => ({ containerLogMaxFiles: value }),
  podMaxPids: (value) => ({ podPidsLimit: value }),
  cpuCfsQuota: (value) => ({ cpuCFSQuota: value }),
  cpuCfsQuotaPeriod: (value) => ({ cpuCFSQuotaPeriod: value }),
  allowedUnsafeSysctls: (value) => ({ allowedUnsafeSysctls: value }),
}
