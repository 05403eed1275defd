// What other data folders on this host have made, by the word of their ledgers.

import { glob, readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { e2ePrefix } from './aksel.ts'

export interface ForeignObjects {
  /** Whether a line (a mount point, a route, a command, …) names something of another data folder. */
  own(line: string): boolean
}

export async function foreignObjects(): Promise<ForeignObjects> {
  const folders = await otherDataFolders()
  const names = new Set((await Promise.all(folders.map(namesOf))).flat())
  return {
    own: (line) =>
      folders.some((folder) => line.includes(`${folder}/`) || line.includes(`${folder} `)) ||
      line.split(/[^\w.-]+/).some((word) => names.has(word)),
  }
}

/** Those of servers that run, and every folder with a ledger below the folder for temporary files, this story's own excepted. */
async function otherDataFolders(): Promise<readonly string[]> {
  const folders = new Set<string>()
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const found = /apps\/server\/src\/main\.ts\0(?:.*\0)?--data\0([^\0]+)/.exec(command)?.[1]
    if (found !== undefined) folders.add(found)
  }
  for (const name of await readdir(tmpdir())) folders.add(join(tmpdir(), name))
  return [...folders].filter((folder) => !basename(folder).startsWith(e2ePrefix))
}

async function namesOf(folder: string): Promise<readonly string[]> {
  return [...(await namesInLedgers(folder)), ...(await shimSockets(folder)), ...(await networkResults(folder))]
}

/** The sockets of its shims lie in a folder that all containerds of a host share. */
async function shimSockets(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const path of glob(join(folder, 'machines/*/run/io.containerd.runtime.v2.task/*/*/address')))
    found.push(basename(await readFile(path, 'utf8').catch(() => '')))
  return found
}

/** As do the answers of the network plugins, each with the path of its pod's namespace. */
async function networkResults(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const path of glob('/var/lib/cni/results/*'))
    if ((await readFile(path, 'utf8').catch(() => '')).includes(`"${folder}/`)) found.push(basename(path))
  return found
}

/** Names of namespaces, links, tables and cgroups; paths need none, they lie below the data folder. */
async function namesInLedgers(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'ledger', 'ledger.jsonl'), 'utf8').catch(() => '')
  const names: string[] = []
  for (const line of text.split('\n')) {
    const object = objectIn(line)
    if (object?.kind === 'cgroup') names.push(object.path!.split('/')[1]!)
    else if (object?.name !== undefined && object.kind !== 'sysctl') names.push(object.name)
  }
  return names
}

interface LedgerObject {
  readonly kind: string
  readonly name?: string
  readonly path?: string
}

/** The last line may be half written. */
function objectIn(line: string): LedgerObject | undefined {
  try {
    return (JSON.parse(line) as { readonly object?: LedgerObject }).object
  } catch {
    return undefined
  }
}
