// Two folders of the host are shared by all containerds, whatever they are told, and hold what a killed one left:
// the sockets of its shims, and what the CNI plugins answered. Both name the state folder of their containerd.

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isAtOrBelow } from './mount-table.ts'

/** Built into containerd and into the CNI library; no option moves them. */
const SHIM_SOCKETS = '/run/containerd/s'
const CNI_RESULTS = '/var/lib/cni/results'

/** Removes what a containerd that has ended, with all its shims, has left there. */
export async function removeContainerdFiles(stateDirectory: string): Promise<void> {
  await removeShimSockets(stateDirectory)
  await removeCniResults(stateDirectory)
}

/** A task's bundle tells the address of its shim. */
async function removeShimSockets(stateDirectory: string): Promise<void> {
  const root = join(stateDirectory, 'io.containerd.runtime.v2.task')
  for (const namespace of await namesIn(root)) {
    for (const id of await namesIn(join(root, namespace))) {
      const address = await textOf(join(root, namespace, id, 'address'))
      const name = /^unix:\/\/\/run\/containerd\/s\/([0-9a-f]+)$/.exec(address.trim())?.[1]
      if (name !== undefined) await rm(join(SHIM_SOCKETS, name), { force: true })
    }
  }
}

/** A result tells the network namespace of its pod, which containerd keeps below its state folder. */
async function removeCniResults(stateDirectory: string): Promise<void> {
  for (const name of await namesIn(CNI_RESULTS)) {
    const path = join(CNI_RESULTS, name)
    const ours = networkNamespacesIn(await textOf(path)).some((sandbox) => isAtOrBelow(sandbox, stateDirectory))
    if (ours) await rm(path, { force: true })
  }
}

interface CniResult {
  readonly result?: { readonly interfaces?: readonly { readonly sandbox?: string }[] }
}

function networkNamespacesIn(text: string): readonly string[] {
  try {
    const { result } = JSON.parse(text) as CniResult
    return (result?.interfaces ?? []).flatMap(({ sandbox }) => (sandbox === undefined ? [] : [sandbox]))
  } catch {
    // Being written by another containerd right now, or no result at all.
    return []
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
