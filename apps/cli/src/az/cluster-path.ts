// The flags that name a cluster, and the path they stand for.

import type { Command } from 'commander'
import { required } from './command.ts'
import { subscriptionPath, type CommonFlags, type Session } from './session.ts'

export interface ClusterFlags extends CommonFlags {
  readonly resourceGroup: string
  readonly name: string
  readonly wait?: boolean
}

export const provider = 'providers/Microsoft.ContainerService/managedClusters'

export function groupPath(session: Session, flags: CommonFlags & { readonly resourceGroup: string }): string {
  return `${subscriptionPath(session, flags)}/resourceGroups/${encodeURIComponent(flags.resourceGroup)}`
}

export function clusterPath(session: Session, flags: ClusterFlags): string {
  return `${groupPath(session, flags)}/${provider}/${encodeURIComponent(flags.name)}`
}

export const named = (command: Command): Command =>
  command
    .addOption(required('-g, --resource-group <name>', 'name of the resource group'))
    .addOption(required('-n, --name <name>', 'name of the managed cluster'))
