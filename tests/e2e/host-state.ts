// What a host has of the things that Aksel makes: compared before and after, so that nothing is left behind unseen.
// Clusters of other data folders on the same host may come and go meanwhile: what stands in their ledgers is not counted.

import { readFile, readdir } from 'node:fs/promises'
import { runProgram } from './aksel.ts'
import { foreignObjects } from './foreign-objects.ts'

export interface HostState {
  readonly namespaces: readonly string[]
  readonly links: readonly string[]
  readonly nftTables: readonly string[]
  readonly routes: readonly string[]
  readonly mounts: readonly string[]
  readonly loopDevices: readonly string[]
  readonly cgroups: readonly string[]
  readonly processes: readonly string[]
  readonly files: readonly string[]
  readonly forwarding: string
}

export async function hostState(): Promise<HostState> {
  // Before and after: an object is in its ledger before it is made and until it is gone.
  const earlier = await foreignObjects()
  const all = await everything()
  const later = await foreignObjects()
  const ours = (lines: readonly string[]): readonly string[] =>
    lines.filter((line) => !earlier.own(line) && !later.own(line)).sort()
  return {
    namespaces: ours(all.namespaces),
    links: ours(all.links),
    nftTables: ours(all.nftTables),
    routes: ours(all.routes),
    mounts: ours(all.mounts),
    loopDevices: ours(all.loopDevices),
    cgroups: ours(all.cgroups),
    processes: ours(all.processes),
    files: ours(all.files),
    forwarding: all.forwarding,
  }
}

async function everything(): Promise<HostState> {
  return {
    // The number that `ip` shows behind some names is the kernel's and changes with others' lists.
    namespaces: (await lines('ip', 'netns', 'list')).map((line) => line.replace(/ \(id: \d+\)$/, '')),
    links: (await lines('ip', '-o', 'link', 'show')).map((line) => line.split(':')[1]!.trim()),
    nftTables: await lines('nft', 'list', 'tables'),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    mounts: (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? ''),
    loopDevices: await lines('losetup', '--list', '--noheadings', '--output', 'BACK-FILE'),
    cgroups: await cgroupsOfAksel(),
    processes: await processesOfAksel(),
    files: (await Promise.all(sharedFolders.map(filesBelow))).flat(),
    forwarding: (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(),
  }
}

async function lines(...argv: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runProgram(argv)
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

async function cgroupsOfAksel(): Promise<readonly string[]> {
  const found: string[] = []
  for (const tree of await readdir('/sys/fs/cgroup', { withFileTypes: true })) {
    if (!tree.isDirectory()) continue
    const names = await readdir(`/sys/fs/cgroup/${tree.name}`)
    found.push(...names.filter((name) => name.startsWith('aksel')).map((name) => `${tree.name}/${name}`))
  }
  return found
}

/** What runs in a cgroup of ours, and what was started by our command lines, wherever it stands. */
async function processesOfAksel(): Promise<readonly string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      // A zombie has ended; only its parent has not looked yet.
      if (/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))) continue
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()
      const cgroup = /:(\/aksel[^/\n]*)/.exec(await readFile(`/proc/${pid}/cgroup`, 'utf8'))?.[1]
      if (cgroup !== undefined || commandsOfAksel.test(command)) found.push(`${cgroup ?? '/'} ${command}`)
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

const commandsOfAksel = /containerd --config|containerd-shim|apps\/(server|node)\/src\/main\.ts|^\/pause$/

/** Where containerd and the network plugins keep things when nobody tells them otherwise. */
const sharedFolders = ['/var/lib/cni', '/run/containerd', '/var/lib/containerd', '/run/netns']

async function filesBelow(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => `${entry.parentPath}/${entry.name}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
