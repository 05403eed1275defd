// What the built-in kinds say of themselves, encoded: made when first asked for, a step at a time, and shared by all
// clusters of a process that serve the same kinds in the same version.

import type { Catalog } from '@aksel/api/catalog'
import { loadDescriptions } from '@aksel/api/openapi/descriptions'
import {
  openApiKeys,
  openApiV2Steps,
  openApiV3Steps,
  type OpenApiDocument,
  type OpenApiOptions,
} from '@aksel/api/openapi/documents'
import { jsonSteps } from '@aksel/api/openapi/json-steps'
import { finishInTurns, type Steps } from '@aksel/api/openapi/steps'
import { encodeOpenApiV2Steps } from '@aksel/api/openapi/v2-protobuf'
import { encodeOpenApiV3Steps } from '@aksel/api/openapi/v3-protobuf'
import { systemClock, type Clock } from '@aksel/base/clock'
import { hashOf } from './etag.ts'

export const openApiForms = ['json', 'protobuf'] as const
export type OpenApiForm = (typeof openApiForms)[number]

type TurnClock = Pick<Clock, 'monotonicMs'>

export class OpenApiLibrary {
  readonly #clock: TurnClock
  readonly #shelves = new Map<string, BuiltInDocuments>()

  constructor(clock: TurnClock = systemClock()) {
    this.#clock = clock
  }

  /** `gitVersion`: `v1.35.7`. */
  documentsOf(catalog: Catalog, gitVersion: string): BuiltInDocuments {
    const served = catalog.facts.map(({ group, version, plural }) => `${group}/${version}/${plural}`)
    const key = `${gitVersion} ${served.join(' ')}`
    let shelf = this.#shelves.get(key)
    if (shelf === undefined) this.#shelves.set(key, (shelf = new BuiltInDocuments(catalog, gitVersion, this.#clock)))
    return shelf
  }
}

export class BuiltInDocuments {
  /** Of the index of version 3, sorted. */
  readonly keys: readonly string[]
  readonly #catalog: Catalog
  readonly #gitVersion: string
  readonly #clock: TurnClock
  /** By what is kept: who asks while it is made waits for the same. */
  readonly #kept = new Map<string, Promise<Uint8Array>>()
  #hashes: Promise<ReadonlyMap<string, string>> | undefined

  constructor(catalog: Catalog, gitVersion: string, clock: TurnClock) {
    this.#catalog = catalog
    this.#gitVersion = gitVersion
    this.#clock = clock
    this.keys = openApiKeys(catalog.facts)
  }

  /** By key: the hash of the document's JSON. */
  hashes(): Promise<ReadonlyMap<string, string>> {
    this.#hashes ??= this.#hashed()
    return this.#hashes
  }

  /** Undefined for a key that is not among `keys`. */
  versionThree(key: string, form: OpenApiForm): Promise<Uint8Array> | undefined {
    if (!this.keys.includes(key)) return undefined
    return this.#keep(`${key} ${form}`, async () => {
      const document = await this.#inTurns(openApiV3Steps(await this.#options(), key))
      return this.encode(3, document!, form)
    })
  }

  /** The whole document, for merging; made anew each time. */
  async versionTwo(): Promise<OpenApiDocument> {
    return this.#inTurns(openApiV2Steps(await this.#options()))
  }

  versionTwoBytes(form: OpenApiForm): Promise<Uint8Array> {
    return this.#keep(`v2 ${form}`, async () => this.encode(2, await this.versionTwo(), form))
  }

  async #hashed(): Promise<ReadonlyMap<string, string>> {
    const options = await this.#options()
    const hashes = new Map<string, string>()
    for (const key of this.keys) {
      const document = await this.#inTurns(openApiV3Steps(options, key))
      hashes.set(key, hashOf(await this.encode(3, document!, 'json')))
    }
    return hashes
  }

  async #options(): Promise<OpenApiOptions> {
    const { tables, facts } = this.#catalog
    return { tables, descriptions: await loadDescriptions(), kinds: facts, gitVersion: this.#gitVersion }
  }

  #keep(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    let kept = this.#kept.get(name)
    if (kept === undefined) {
      kept = make()
      this.#kept.set(name, kept)
      // What could not be made is not kept: who asks next is not told of it for ever.
      kept.catch(() => this.#kept.delete(name))
    }
    return kept
  }

  /** Rejects for a document that the form has no words for: another server's may hold what protobuf has no field for. */
  encode(version: 2 | 3, document: OpenApiDocument, form: OpenApiForm): Promise<Uint8Array> {
    if (form === 'json') return this.#inTurns(jsonSteps(document))
    return this.#inTurns(version === 2 ? encodeOpenApiV2Steps(document) : encodeOpenApiV3Steps(document))
  }

  #inTurns<T>(steps: Steps<T>): Promise<T> {
    let startMs = this.#clock.monotonicMs()
    return finishInTurns(steps, {
      isOver: () => this.#clock.monotonicMs() - startMs >= TURN_MS,
      next: async () => {
        await new Promise((resolve) => setImmediate(resolve))
        startMs = this.#clock.monotonicMs()
      },
    })
  }
}

/** Less than the 10 ms for which nobody may hold a shared thread. */
const TURN_MS = 5
