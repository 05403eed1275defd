// What cgroup code touches: the trees that a host mounts and their files. Handed in, so that rules of a kernel that this host does
// not run can be tested.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readMounts } from './mount-table.ts'

export interface CgroupTree {
  readonly version: 1 | 2
  readonly mountPoint: string
  /** `cpu`, `memory`, `name=systemd`; on version 2 those of the root's cgroup.controllers. */
  readonly controllers: readonly string[]
}

export interface CgroupWorld {
  trees(): Promise<readonly CgroupTree[]>
  /** Without blanks around it. */
  read(path: string): Promise<string>
  write(path: string, value: string | number): Promise<void>
  /** Idempotent; its parents exist. */
  makeFolder(path: string): Promise<void>
}

const v1Controllers = new Set([
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
  'rdma',
  'misc',
])

/** The host that this program runs on. */
export const hostCgroups: CgroupWorld = {
  trees: cgroupTrees,
  read: async (path) => (await readFile(path, 'utf8')).trim(),
  write: (path, value) => writeFile(path, String(value)),
  makeFolder: async (path) => void (await mkdir(path, { recursive: true })),
}

/** Every cgroup tree this host mounts. */
export async function cgroupTrees(): Promise<readonly CgroupTree[]> {
  const trees: CgroupTree[] = []
  const seen = new Set<string>()
  for (const mount of await readMounts()) {
    if (mount.fileSystem === 'cgroup2') {
      if (seen.has('v2')) continue
      seen.add('v2')
      const controllers = (await hostCgroups.read(join(mount.mountPoint, 'cgroup.controllers')))
        .split(' ')
        .filter((name) => name !== '')
      trees.push({ version: 2, mountPoint: mount.mountPoint, controllers })
    } else if (mount.fileSystem === 'cgroup') {
      const controllers = mount.superOptions.filter((option) => v1Controllers.has(option) || option.startsWith('name='))
      const key = controllers.join(',')
      if (seen.has(key)) continue
      seen.add(key)
      trees.push({ version: 1, mountPoint: mount.mountPoint, controllers })
    }
  }
  return trees
}

const delegated = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb']

/** Version 2: what is below the folder may be bounded. No process may be in the folder itself. */
export async function delegate(world: CgroupWorld, folder: string, controllers: readonly string[]): Promise<void> {
  const enabled = new Set((await world.read(join(folder, 'cgroup.subtree_control'))).split(' '))
  const missing = controllers.filter((name) => delegated.includes(name) && !enabled.has(name))
  if (missing.length === 0) return
  await world.write(join(folder, 'cgroup.subtree_control'), missing.map((name) => `+${name}`).join(' '))
}
