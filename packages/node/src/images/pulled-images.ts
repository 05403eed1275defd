// Remembers which images this node has pulled, on disk: those can be pulled again, so only they may be given up for room.
// What was imported from an archive has no registry behind it.

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWholeFile } from '@aksel/host/durable-file'

export class PulledImages {
  readonly #directory: string

  /** `<root>/image_manager/pulled`, as the kubelet's. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** The image's id, as the runtime lists it. */
  async add(id: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    await writeWholeFile(this.#pathOf(id), id)
  }

  async forget(id: string): Promise<void> {
    await rm(this.#pathOf(id), { force: true })
  }

  async ids(): Promise<ReadonlySet<string>> {
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const whole = names.filter((name) => !name.endsWith('.new'))
    return new Set(await Promise.all(whole.map((name) => readFile(join(this.#directory, name), 'utf8'))))
  }

  #pathOf(id: string): string {
    return join(this.#directory, createHash('sha256').update(id).digest('hex'))
  }
}
