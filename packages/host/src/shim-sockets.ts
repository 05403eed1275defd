// A containerd shim listens below /run/containerd, wherever its containerd keeps its state, and a killed one leaves its
// socket there. Each bundle names its shim's address, so that the sockets of one containerd can be told from others'.

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

const TASKS = 'io.containerd.runtime.v2.task'
/** Built into containerd; no option moves it. */
const SOCKETS = '/run/containerd/s'

/** Removes the sockets that the bundles below a containerd's state folder name. Their shims have ended. */
export async function removeShimSockets(stateDirectory: string): Promise<void> {
  const root = join(stateDirectory, TASKS)
  for (const namespace of await namesIn(root)) {
    for (const id of await namesIn(join(root, namespace))) {
      const name = await socketName(join(root, namespace, id, 'address'))
      if (name !== undefined) await rm(join(SOCKETS, name), { force: true })
    }
  }
}

/** `unix:///run/containerd/s/HASH`; anything else is not ours to remove. */
async function socketName(path: string): Promise<string | undefined> {
  try {
    return /^unix:\/\/\/run\/containerd\/s\/([0-9a-f]+)$/.exec((await readFile(path, 'utf8')).trim())?.[1]
  } catch (error) {
    if (isMissing(error)) return undefined
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
