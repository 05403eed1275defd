// What containerd tells beyond the Container Runtime Interface, as JSON in the `info` of verbose answers (1.6 to 2.x).

import { join } from 'node:path'
import type { CniPlugin, RuntimeNetwork } from './types.ts'

export type Info = Readonly<Record<string, string>>

interface SandboxInfo {
  readonly runtimeSpec?: {
    readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] }
  }
}

/** The path of a sandbox's network namespace. */
export function namespaceIn(info: Info): string | undefined {
  const { runtimeSpec } = parsed<SandboxInfo>(info['info'])
  return runtimeSpec?.linux?.namespaces?.find(({ type }) => type === 'network')?.path
}

interface RuntimeConfig {
  readonly stateDir?: string
  readonly netnsMountsUnderStateDir?: boolean
  readonly cni?: { readonly binDir?: string }
}

interface CniConfig {
  readonly Networks?: readonly {
    readonly Config?: {
      readonly Name?: string
      readonly CNIVersion?: string
      readonly Plugins?: readonly { readonly Source?: string }[]
    }
  }[]
}

export function networkIn(info: Info): RuntimeNetwork | undefined {
  const config = parsed<RuntimeConfig>(info['config'])
  const { Networks = [] } = parsed<CniConfig>(info['cniconfig'])
  // containerd's own loopback network comes first.
  const network = Networks.map(({ Config }) => Config).findLast((each) => each?.Name !== 'cni-loopback')
  if (config.stateDir === undefined || network?.Name === undefined) return undefined
  return {
    namespacesDirectory: config.netnsMountsUnderStateDir === true ? join(config.stateDir, 'netns') : undefined,
    pluginsDirectory: config.cni?.binDir ?? '/opt/cni/bin',
    name: network.Name,
    cniVersion: network.CNIVersion ?? '0.4.0',
    plugins: (network.Plugins ?? []).map(({ Source = '{}' }) => JSON.parse(Source) as CniPlugin),
  }
}

function parsed<T extends object>(text: string | undefined): Partial<T> {
  return JSON.parse(text ?? '{}') as Partial<T>
}
