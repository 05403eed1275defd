// Remembers which images this node has pulled, on disk: those can be pulled again, so only they may be given up for room.
// What was imported from an archive has no registry behind it. And by whose credentials: a private image that one pod's secret
// brought is no other pod's to use.

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWholeFile } from '@aksel/host/durable-file'
import type { ImageAuth } from '../cri/types.ts'
import { fullName } from './credentials.ts'

interface PulledImage {
  readonly id: string
  /** By repository: hashes of the credentials that it let in; `''`: it asked for none. */
  readonly access: Readonly<Record<string, readonly string[]>>
}

const NOBODYS = ''
/** Passwords of some registries last for hours: the oldest of so many are forgotten, and asked for again. */
const CREDENTIALS_MAX = 100

export class PulledImages {
  readonly #directory: string
  /** What is written last, by image: two pods that pull one at once do not write its file over each other. */
  readonly #writing = new Map<string, Promise<void>>()

  /** `<root>/image_manager/pulled`, as the kubelet's. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** The image's id, as the runtime lists it, and what it was pulled by and with. */
  add(id: string, image = '', auth?: ImageAuth): Promise<void> {
    return this.#inTurn(id, async () => {
      const known = (await this.#read(id)) ?? { id, access: {} }
      const repository = repositoryOf(image)
      const hash = hashOf(auth)
      const others = (known.access[repository] ?? []).filter((one) => one !== hash)
      const all = [...others, hash]
      // Where nobody needs any, nothing else need be known.
      const kept = all.includes(NOBODYS) ? [NOBODYS] : all.slice(-CREDENTIALS_MAX)
      const access = { ...known.access, [repository]: kept }
      await mkdir(this.#directory, { recursive: true })
      await writeWholeFile(this.#pathOf(id), JSON.stringify({ id, access } satisfies PulledImage))
    })
  }

  /**
   * Whether a pod with these credentials may use it as it is: what was not pulled lies here for all, what was is asked for again by
   * whoever its registry has not let in yet.
   */
  async mayUse(id: string, image: string, auth: ImageAuth | undefined): Promise<boolean> {
    const known = await this.#read(id)
    if (known === undefined) return true
    const hashes = known.access[repositoryOf(image)] ?? []
    return hashes.includes(NOBODYS) || (auth !== undefined && hashes.includes(hashOf(auth)))
  }

  forget(id: string): Promise<void> {
    return this.#inTurn(id, () => rm(this.#pathOf(id), { force: true }))
  }

  async #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#writing.get(id) ?? Promise.resolve()).then(work)
    const tail = turn.catch(() => {})
    this.#writing.set(id, tail)
    try {
      await turn
    } finally {
      if (this.#writing.get(id) === tail) this.#writing.delete(id)
    }
  }

  async ids(): Promise<ReadonlySet<string>> {
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const whole = names.filter((name) => !name.endsWith('.new'))
    const read = whole.map(async (name) => parse(await readFile(join(this.#directory, name), 'utf8')).id)
    return new Set(await Promise.all(read))
  }

  async #read(id: string): Promise<PulledImage | undefined> {
    const text = await readFile(this.#pathOf(id), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    return text === undefined ? undefined : parse(text)
  }

  #pathOf(id: string): string {
    return join(this.#directory, createHash('sha256').update(id).digest('hex'))
  }
}

/** Earlier agents wrote the id alone: of whose credentials nothing is known, so whoever comes is let in by the registry. */
function parse(text: string): PulledImage {
  return text.startsWith('{') ? (JSON.parse(text) as PulledImage) : { id: text, access: {} }
}

function hashOf(auth: ImageAuth | undefined): string {
  if (auth === undefined) return NOBODYS
  const { username = '', password = '', identityToken = '' } = auth
  return createHash('sha256')
    .update(JSON.stringify([username, password, identityToken]))
    .digest('hex')
}

/** Without tag and digest. */
function repositoryOf(image: string): string {
  const bare = fullName(image).split('@')[0]!
  const slash = bare.lastIndexOf('/')
  const colon = bare.indexOf(':', slash + 1)
  return colon < 0 ? bare : bare.slice(0, colon)
}
