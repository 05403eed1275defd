// Follows the ConfigMap `coredns-custom`: what it says is in force at once, and what it gets wrong is told on it while the
// former content stays.

import type { ConfigMap } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Cache } from '@aksel/runtime/controller'
import { compileCustom, noCustomServers, type CustomServers } from './corefile/compile.ts'
import type { Server } from './upstream.ts'

export interface CustomNews {
  readonly configMap: ConfigMap
  readonly type: 'Normal' | 'Warning'
  readonly reason: 'CorefileApplied' | 'InvalidCorefile' | 'IgnoredKey'
  readonly message: string
}

export interface CustomOptions {
  /** Holds the one ConfigMap, or nothing. */
  readonly configMaps: Cache<ConfigMap>
  /** Takes events about it. */
  readonly tell: (news: CustomNews) => void
}

export const CUSTOM_KEY = 'kube-system/coredns-custom'

/** Calls back with what holds, now and at each change, until it is disposed. */
export function followCustom(
  scope: Scope,
  { configMaps, tell }: CustomOptions,
  nodeServers: readonly Server[],
  use: (custom: CustomServers) => void,
): Disposable {
  let wasAdapted = false
  return configMaps.subscribe((now, before) => {
    const configMap = now ?? before
    if (configMap === undefined || `${configMap.metadata.namespace}/${configMap.metadata.name}` !== CUSTOM_KEY) return
    const data = now?.data ?? {}
    try {
      const custom = compileCustom(data, { nodeServers })
      const isEmpty = custom.blocks.size === 0 && custom.around === undefined
      use(isEmpty ? noCustomServers : custom)
      if (now === undefined) return
      if (custom.ignoredKeys.length > 0) {
        const message = `Keys that end neither in .server nor in .override are not read: ${custom.ignoredKeys.join(', ')}`
        tell({ configMap: now, type: 'Warning', reason: 'IgnoredKey', message })
      }
      if (!isEmpty || wasAdapted) {
        const zones = [...custom.blocks.keys()].join(', ') || 'none'
        const message = `Names are answered as it says; own server blocks: ${zones}`
        tell({ configMap: now, type: 'Normal', reason: 'CorefileApplied', message })
      }
      wasAdapted = !isEmpty
    } catch (error) {
      const message = `Nothing of it is in force, what held before goes on: ${(error as Error).message}`
      scope.log.warn('the ConfigMap coredns-custom cannot be used', { error })
      tell({ configMap: configMap, type: 'Warning', reason: 'InvalidCorefile', message })
    }
  })
}
