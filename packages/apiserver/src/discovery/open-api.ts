// OpenAPI: one document of version 2, in JSON and in protobuf, and an index with a document of version 3 per group version,
// whose address carries its hash, so that it may be kept for ever.

import type { Catalog } from '@aksel/api/catalog'
import { loadDescriptions } from '@aksel/api/openapi/descriptions'
import { openApiGroupVersions, openApiV2, openApiV3 } from '@aksel/api/openapi/documents'
import { encodeOpenApiV2 } from '@aksel/api/openapi/v2-protobuf'
import { encodeJson } from '@aksel/base/json'
import { parseAccept } from '../http/accept.ts'
import { bytesAnswer, errorAnswer } from '../http/answer.ts'
import type { Answer, IncomingCall } from '../http/message.ts'
import { notAcceptable } from '../refusals.ts'
import type { ApiSource, OpenApiPart } from './api-source.ts'
import { etagOf, hashOf, withEtag } from './etag.ts'

/** Clients before and after the `@` was found to be no part of a media type; the answer never has it. */
const protobufTypes = [
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
] as const
const jsonTypes: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*'])

const YEAR_SECONDS = 31_536_000

type Json = Readonly<Record<string, unknown>>

interface Kept {
  readonly revision: string
  readonly bytes: Uint8Array
  readonly etag: string
}

export class OpenApiDocuments {
  readonly #catalog: Catalog
  readonly #gitVersion: string
  readonly #sources: readonly ApiSource[]
  readonly #kept = new Map<string, Kept>()

  constructor(catalog: Catalog, gitVersion: string, sources: readonly ApiSource[]) {
    this.#catalog = catalog
    this.#gitVersion = gitVersion
    this.#sources = sources
  }

  /** `path`: what follows `/openapi`. Undefined where there is no such document. */
  answer(call: IncomingCall, query: URLSearchParams, path: readonly string[]): Answer | Promise<Answer> | undefined {
    const [version, ...rest] = path
    if (version === 'v2' && rest.length === 0) return this.#versionTwo(call)
    if (version !== 'v3') return undefined
    if (rest.length === 0) return this.#index(call)
    return this.#part(call, query, rest.join('/'))
  }

  /** The keys of the index, sorted. */
  keys(): readonly string[] {
    return [...this.#parts().keys()].sort()
  }

  #parts(): ReadonlyMap<string, OpenApiPart> {
    const parts = new Map<string, OpenApiPart>()
    // What a document says depends on the version and on which kinds are served, on nothing else.
    const served = this.#catalog.facts.map(({ msg }) => msg).join(' ')
    for (const key of openApiGroupVersions(this.#catalog.facts)) {
      const hash = hashOf(`${this.#gitVersion} ${key} ${served}`)
      parts.set(key, { hash, document: async () => openApiV3(await this.#options(), key)! })
    }
    for (const source of this.#sources) for (const [key, part] of source.openApiV3()) parts.set(key, part)
    return parts
  }

  async #options(): Promise<Parameters<typeof openApiV2>[0]> {
    const { tables, facts } = this.#catalog
    return { tables, descriptions: await loadDescriptions(), kinds: facts, gitVersion: this.#gitVersion }
  }

  #index(call: IncomingCall): Answer {
    const parts = [...this.#parts()].sort(([a], [b]) => (a < b ? -1 : 1))
    const entries = parts.map(([key, { hash }]) => [key, { serverRelativeURL: `/openapi/v3/${key}?hash=${hash}` }])
    const bytes = encodeJson({ paths: Object.fromEntries(entries) as Json })
    return withEtag(call, bytesAnswer(200, 'application/json', bytes), etagOf(bytes))
  }

  #part(call: IncomingCall, query: URLSearchParams, key: string): Answer | Promise<Answer> | undefined {
    const part = this.#parts().get(key)
    if (part === undefined) return undefined
    if (!parseAccept(call.headers['accept']).some(({ type }) => jsonTypes.has(type)))
      return errorAnswer(notAcceptable(['application/json']))
    const asked = query.get('hash')
    if (asked !== null && asked !== part.hash) {
      const location = `/openapi/v3/${key}?hash=${part.hash}`
      return { status: 301, headers: { location }, body: new Uint8Array() }
    }
    const answer = (bytes: Uint8Array): Answer => {
      const whole = bytesAnswer(200, 'application/json', bytes)
      if (asked === null) return withEtag(call, whole, `"${part.hash}"`)
      const forEver = { 'cache-control': `public, immutable, max-age=${YEAR_SECONDS}` }
      return withEtag(call, { ...whole, headers: { ...whole.headers, ...forEver } }, `"${part.hash}"`)
    }
    const kept = this.#kept.get(key)
    if (kept?.revision === part.hash) return answer(kept.bytes)
    const document = part.document()
    const keep = (made: Json): Answer => answer(this.#keep(key, part.hash, encodeJson(made)).bytes)
    return document instanceof Promise ? document.then(keep) : keep(document)
  }

  /** In protobuf for kubectl, which reads nothing else here. */
  async #versionTwo(call: IncomingCall): Promise<Answer> {
    const revision = this.#sources.map((source) => source.revision).join(' ')
    for (const { type } of parseAccept(call.headers['accept'])) {
      const isProtobuf = protobufTypes.some((one) => one === type)
      if (!isProtobuf && !jsonTypes.has(type)) continue
      const key = isProtobuf ? '#v2.pb' : '#v2'
      let kept = this.#kept.get(key)
      if (kept?.revision !== revision) {
        const document = await this.#mergedVersionTwo()
        kept = this.#keep(key, revision, isProtobuf ? encodeOpenApiV2(document) : encodeJson(document))
      }
      const answer = bytesAnswer(200, isProtobuf ? protobufTypes[0] : 'application/json', kept.bytes)
      return withEtag(call, answer, kept.etag)
    }
    return errorAnswer(notAcceptable(['application/json', ...protobufTypes]))
  }

  async #mergedVersionTwo(): Promise<Json> {
    const own = openApiV2(await this.#options())
    const more = this.#sources.map((source) => source.openApiV2())
    const paths = Object.assign({}, own['paths'], ...more.map((one) => one.paths)) as Json
    const definitions = Object.assign({}, own['definitions'], ...more.map((one) => one.definitions)) as Json
    return { ...own, paths, definitions }
  }

  #keep(key: string, revision: string, bytes: Uint8Array): Kept {
    const kept = { revision, bytes, etag: etagOf(bytes) }
    this.#kept.set(key, kept)
    return kept
  }
}
