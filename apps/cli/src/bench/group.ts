// The groups of benchmarks by name. A group is loaded when it is asked for.

import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'
import type { BenchRow } from './row.ts'

export interface BenchRequest {
  readonly options: CliOptions
  /** Measured runs; one more before them warms caches and is not counted. */
  readonly runs: number
  /** Nodes of the cluster; what `up` takes by itself when absent. */
  readonly nodes?: number
  /** At the sizes that the targets are about; else small enough for a look. */
  readonly full: boolean
  /** At a tenth of those, where a group has such a size. */
  readonly tenth: boolean
  /** Says what is going on, for people. */
  readonly say: (line: string) => void
  /** Rows that stand, whatever becomes of the rest of the group; a group may return all of its own at its end instead. */
  readonly found: (rows: readonly BenchRow[]) => void
}

export type BenchGroup = (scope: Scope, request: BenchRequest) => Promise<readonly BenchRow[]>

const loaders: Readonly<Record<string, () => Promise<BenchGroup>>> = {
  up: async () => (await import('./up/group.ts')).upGroup,
  arm: async () => (await import('./arm/group.ts')).armGroup,
  create: async () => (await import('./api/create-group.ts')).createGroup,
  list: async () => (await import('./api/list-group.ts')).listGroup,
  watch: async () => (await import('./api/watch-group.ts')).watchGroup,
  leases: async () => (await import('./api/leases-group.ts')).leasesGroup,
  desktop: async () => (await import('./desktop/group.ts')).desktopGroup,
  network: async () => (await import('./network/group.ts')).networkGroup,
  node: async () => (await import('./node/group.ts')).nodeGroup,
  scheduler: async () => (await import('./scheduler/group.ts')).schedulerGroup,
  simulated: async () => (await import('./simulated/group.ts')).simulatedGroup,
  noisy: async () => (await import('./api/noisy-group.ts')).noisyGroup,
  tenant: async () => (await import('./api/tenant-group.ts')).tenantGroup,
}

export const groupNames: readonly string[] = Object.keys(loaders)

/** All groups where none is named. Throws a CommandError that lists them for a name that is none. */
export function chooseGroups(names: readonly string[]): readonly string[] {
  const unknown = names.find((name) => !Object.hasOwn(loaders, name))
  if (unknown !== undefined)
    throw new CommandError(`Unknown benchmark group "${unknown}"; the groups are: ${groupNames.join(', ')}.`, 2)
  return names.length === 0 ? groupNames : [...new Set(names)]
}

export function loadGroup(name: string): Promise<BenchGroup> {
  return loaders[name]!()
}
