// What was written through API versions that go away, of every cluster of this server: kept in a file each, so that a restart
// forgets nothing that an upgrade has to know.

import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { writeDurableFile } from '@aksel/host/durable-file'
import type { DeprecatedUse } from '@aksel/provider/cluster-engine'

/** A use that is known is written down again only after this while: the memory is of hours. */
const FRESH_MS = 5 * 60_000

export class DeprecatedUses {
  readonly #scope: Scope
  readonly #directory: string
  readonly #known = new Map<string, Map<string, DeprecatedUse>>()
  #writes: Promise<void> = Promise.resolve()

  constructor(scope: Scope, dataDir: string) {
    this.#scope = scope
    this.#directory = join(dataDir, 'server', 'deprecated-uses')
  }

  /** `key`: the cluster's short name. */
  of(key: string): readonly DeprecatedUse[] {
    return [...this.#load(key).values()]
  }

  note(key: string, use: DeprecatedUse): void {
    const uses = this.#load(key)
    const name = `${use.group}/${use.version}/${use.resource}`
    const before = uses.get(name)
    if (before !== undefined && use.lastSeenMs - before.lastSeenMs < FRESH_MS) return
    uses.set(name, use)
    this.#queue(() => writeDurableFile(this.#pathOf(key), JSON.stringify([...uses.values()])))
  }

  async forget(key: string): Promise<void> {
    this.#known.delete(key)
    this.#queue(() => rm(this.#pathOf(key), { force: true }))
    await this.#writes
  }

  /** Resolves when all that was noted is on disk. */
  async flushed(): Promise<void> {
    await this.#writes
  }

  #queue(write: () => Promise<void>): void {
    this.#writes = this.#writes
      .then(write)
      .catch((error: unknown) => this.#scope.log.warn('a use of a deprecated API was not written down', { error }))
  }

  #load(key: string): Map<string, DeprecatedUse> {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const uses = new Map(readUses(this.#pathOf(key)).map((use) => [`${use.group}/${use.version}/${use.resource}`, use]))
    this.#known.set(key, uses)
    return uses
  }

  #pathOf(key: string): string {
    return join(this.#directory, `${key}.json`)
  }
}

function readUses(path: string): readonly DeprecatedUse[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as readonly DeprecatedUse[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
