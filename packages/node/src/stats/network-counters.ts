// What went through the links of a network: the kernel's table of a process that is in it, so that nobody has to enter.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cgroupTrees } from '@aksel/host/cgroup-world'
import { processesIn } from '@aksel/host/cgroups'

export interface LinkCounters {
  readonly name: string
  readonly rxBytes: number
  readonly rxPackets: number
  readonly rxErrors: number
  readonly rxDropped: number
  readonly txBytes: number
  readonly txPackets: number
  readonly txErrors: number
  readonly txDropped: number
}

/** Of the network that the processes of a cgroup are in; empty where none is left. Loopback is left out, as upstream does. */
export async function linksOfCgroup(cgroup: string): Promise<readonly LinkCounters[]> {
  for (const { mountPoint } of await cgroupTrees()) {
    const [pid] = await processesIn(join(mountPoint, cgroup)).catch(() => [])
    if (pid !== undefined) return readLinks(`/proc/${pid}/net/dev`)
  }
  return []
}

/** Of the machine's own network: the agent is in it. */
export function linksOfNode(): Promise<readonly LinkCounters[]> {
  return readLinks('/proc/self/net/dev')
}

async function readLinks(file: string): Promise<readonly LinkCounters[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return parseLinks(text)
}

/** Parses /proc/PID/net/dev: two lines of headings, then a link a line. */
export function parseLinks(text: string): readonly LinkCounters[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const [name, rest] = line.split(':')
      if (rest === undefined || name!.trim() === 'lo') return []
      const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = rest
        .trim()
        .split(/\s+/)
        .map(Number) as [number, number, number, number, number, number, number, number, number, number, number, number]
      return [{ name: name!.trim(), rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }]
    })
}
