// Looks at what lies at the root of an image before a container of it is made. runc (1.1 is what
// Debian has) makes the links of /dev before it enters the container: where an image has a link in place of that folder, they
// would be made, and `ptmx` removed, wherever on the host the link leads.

import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Snapshots } from '../containerd/snapshots.ts'
import type { ContainerRuntime } from '../cri/types.ts'

/** Folders that the runtime fills by their names. */
const filled = ['dev', 'proc', 'sys'] as const

export class ImageRoots {
  readonly #runtime: Pick<ContainerRuntime, 'imageChain'>
  readonly #snapshots: Snapshots
  /** By image id: it was looked at, or is just now. What an id stands for never changes. */
  readonly #looks = new Map<string, Promise<void>>()

  constructor(runtime: Pick<ContainerRuntime, 'imageChain'>, snapshots: Snapshots) {
    this.#runtime = runtime
    this.#snapshots = snapshots
  }

  /** Rejects where a container of the image would lead the runtime astray. */
  async check(imageId: string): Promise<void> {
    // One look for all containers that start together: they would take the view from each other.
    const look = this.#looks.get(imageId) ?? this.#look(imageId)
    this.#looks.set(imageId, look)
    try {
      await look
    } catch (error) {
      this.#looks.delete(imageId)
      throw error
    }
  }

  async #look(imageId: string): Promise<void> {
    const chain = await this.#runtime.imageChain(imageId)
    if (chain === undefined) return
    const key = `aksel-look-${chain}`
    const [mount] = await this.#snapshots.view(key, chain)
    try {
      for (const name of filled) {
        if (await isLink(name, layersOf(mount))) throw new Error(`the image has a link in place of its folder /${name}`)
      }
    } finally {
      await this.#snapshots.remove(key)
    }
  }
}

/** The folders of the layers, the highest first. */
function layersOf(
  mount: { readonly source: string; readonly options: readonly string[] } | undefined,
): readonly string[] {
  if (mount === undefined) return []
  const lower = mount.options.find((option) => option.startsWith('lowerdir='))
  return lower === undefined ? [mount.source] : lower.slice('lowerdir='.length).split(':')
}

/** The highest layer that has the name decides; a whiteout is a device there. */
async function isLink(name: string, layers: readonly string[]): Promise<boolean> {
  for (const layer of layers) {
    const found = await lstat(join(layer, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    if (found !== undefined) return found.isSymbolicLink()
  }
  return false
}
