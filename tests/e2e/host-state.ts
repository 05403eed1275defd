// What a host has of the things that Aksel makes: compared before and after, so that nothing is left behind unseen.

import { readFile, readdir } from 'node:fs/promises'
import { runProgram } from './aksel.ts'

export interface HostState {
  readonly namespaces: readonly string[]
  readonly links: readonly string[]
  readonly nftTables: readonly string[]
  readonly routes: readonly string[]
  readonly mounts: readonly string[]
  readonly loopDevices: readonly string[]
  readonly cgroups: readonly string[]
  readonly processes: readonly string[]
  readonly forwarding: string
}

export async function hostState(): Promise<HostState> {
  const lines = async (...argv: readonly string[]): Promise<readonly string[]> =>
    (await runProgram(argv)).stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .sort()
  return {
    namespaces: await lines('ip', 'netns', 'list'),
    links: (await lines('ip', '-o', 'link', 'show')).map((line) => line.split(':')[1]!.trim()),
    nftTables: await lines('nft', 'list', 'tables'),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    mounts: (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .sort(),
    loopDevices: await lines('losetup', '--list', '--noheadings', '--output', 'BACK-FILE'),
    cgroups: await cgroupsOfOurs(),
    processes: await processesOfOurs(),
    forwarding: (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(),
  }
}

async function cgroupsOfOurs(): Promise<readonly string[]> {
  const found: string[] = []
  for (const tree of await readdir('/sys/fs/cgroup', { withFileTypes: true })) {
    if (!tree.isDirectory()) continue
    const names = await readdir(`/sys/fs/cgroup/${tree.name}`)
    found.push(...names.filter((name) => name.includes('aksel')).map((name) => `${tree.name}/${name}`))
  }
  return found.sort()
}

const ours = /containerd|apps\/(server|node)\/src\/main\.ts|\/pause$/

async function processesOfOurs(): Promise<readonly string[]> {
  const commands: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()
      if (ours.test(command)) commands.push(command)
    } catch {
      // It ended while we looked.
    }
  }
  return commands.sort()
}
