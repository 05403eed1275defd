// `az aks nodepool manual-scale`: how many machines of each size a VirtualMachines pool has.

import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, parseCount, required } from './command.ts'
import { namedPool, poolPath, putPool, waiting, type NameFlags } from './nodepool.ts'
import type { ArmResource } from './resources.ts'
import { get, type Session } from './session.ts'

interface Profile {
  readonly size: string
  readonly count: number
}

interface ScaleFlags extends NameFlags {
  readonly vmSizes?: string
  readonly currentVmSizes: string
  readonly nodeCount?: number
}

export function addManualScale(nodepool: Command, session: Session): void {
  const parent = nodepool.command('manual-scale').description('Manage nodes in a VirtualMachines node pool.')
  const leaf = (
    name: string,
    description: string,
    flags: (command: Command) => Command,
    next: (profiles: readonly Profile[], flags: ScaleFlags) => readonly Profile[],
  ): void =>
    addLeaf<ScaleFlags>(parent, session, name, {
      description,
      flags: (command) => flags(waiting(namedPool(command))),
      run: async (_, given) => {
        const { properties } = await get<ArmResource>(session, poolPath(session, given, given.name))
        const manual = next(profilesOf(properties), given)
        const { count: _count, vmSize: _size, ...rest } = properties
        return putPool(session, given, { ...rest, virtualMachinesProfile: { scale: { manual } } })
      },
    })
  const sizes = required('--vm-sizes <size>', 'size of the machines')
  const current = required('--current-vm-sizes <size>', 'size of the profile that is meant')
  const count = (): Parameters<Command['addOption']>[0] =>
    required('-c, --node-count <count>', 'machines of the size').argParser(parseCount)
  leaf(
    'add',
    'Add a new manual scale profile.',
    (command) => command.addOption(sizes).addOption(count()),
    (profiles, flags) => [...profiles, { size: flags.vmSizes!, count: flags.nodeCount! }],
  )
  leaf(
    'update',
    'Update an existing manual scale profile.',
    (command) =>
      command
        .addOption(current)
        .option('--vm-sizes <size>', 'another size')
        .option('-c, --node-count <count>', 'machines of the size', parseCount),
    (profiles, flags) =>
      profiles.map((profile) =>
        profile === meant(profiles, flags)
          ? { size: flags.vmSizes ?? profile.size, count: flags.nodeCount ?? profile.count }
          : profile,
      ),
  )
  leaf(
    'delete',
    'Delete an existing manual scale profile.',
    (command) => command.addOption(current),
    (profiles, flags) => {
      const gone = meant(profiles, flags)
      return profiles.filter((profile) => profile !== gone)
    },
  )
}

function profilesOf(properties: Readonly<Record<string, unknown>>): readonly Profile[] {
  const { scale } = (properties['virtualMachinesProfile'] ?? {}) as {
    readonly scale?: { readonly manual?: readonly Profile[] }
  }
  if (scale?.manual === undefined) throw new AzError('The node pool is not a VirtualMachines node pool.', 2)
  return scale.manual
}

function meant(profiles: readonly Profile[], { currentVmSizes }: ScaleFlags): Profile {
  const found = profiles.find(({ size }) => size.toLowerCase() === currentVmSizes.toLowerCase())
  if (found === undefined) throw new AzError(`There is no manual scale profile of size ${currentVmSizes}.`, 2)
  return found
}
