// OpenAPI: one document of version 2, and an index with a document of version 3 per group version, whose address carries its
// hash, so that it may be kept for ever. Both in JSON and in protobuf.

import type { OpenApiDocument } from '@aksel/api/openapi/documents'
import { encodeJson } from '@aksel/base/json'
import { parseAccept } from '../http/accept.ts'
import { bytesAnswer, errorAnswer } from '../http/answer.ts'
import type { Answer, IncomingCall } from '../http/message.ts'
import { notAcceptable } from '../refusals.ts'
import type { ApiSource, OpenApiPart } from './api-source.ts'
import { etagOf, withEtag } from './etag.ts'
import type { BuiltInDocuments, OpenApiForm } from './open-api-library.ts'

type Version = 'v2' | 'v3'

/** Clients before and after the `@` was found to be no part of a media type; the answer never has it. */
const protobufTypes: Readonly<Record<Version, readonly [string, string]>> = {
  v2: [
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  ],
  v3: [
    'application/com.github.proto-openapi.spec.v3.v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v3@v1.0+protobuf',
  ],
}
const jsonTypes: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*'])

const YEAR_SECONDS = 31_536_000

type Json = Readonly<Record<string, unknown>>

interface Kept {
  readonly revision: string
  /** Who asks while it is made waits for the same. Undefined: the form has no words for it. */
  readonly bytes: Promise<Uint8Array | undefined>
}

export class OpenApiDocuments {
  readonly #builtIn: BuiltInDocuments
  readonly #sources: readonly ApiSource[]
  /** Of other sources, by key and form. */
  readonly #kept = new Map<string, Kept>()

  constructor(builtIn: BuiltInDocuments, sources: readonly ApiSource[]) {
    this.#builtIn = builtIn
    this.#sources = sources
  }

  /** `path`: what follows `/openapi`. Undefined where there is no such document. */
  answer(call: IncomingCall, query: URLSearchParams, path: readonly string[]): Promise<Answer | undefined> | undefined {
    const [version, ...rest] = path
    if (version === 'v2' && rest.length === 0) return this.#versionTwo(call)
    if (version !== 'v3') return undefined
    if (rest.length === 0) return this.#index(call)
    return this.#part(call, query, rest.join('/'))
  }

  #others(): ReadonlyMap<string, OpenApiPart> {
    return new Map(this.#sources.flatMap((source) => [...source.openApiV3()]))
  }

  async #index(call: IncomingCall): Promise<Answer> {
    const hashes = new Map(await this.#builtIn.hashes())
    for (const [key, { hash }] of this.#others()) hashes.set(key, hash)
    const entries = [...hashes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, hash]) => [key, { serverRelativeURL: urlOf(key, hash) }])
    const bytes = encodeJson({ paths: Object.fromEntries(entries) as Json })
    return withEtag(call, bytesAnswer(200, 'application/json', bytes), etagOf(bytes))
  }

  async #part(call: IncomingCall, query: URLSearchParams, key: string): Promise<Answer | undefined> {
    const other = this.#others().get(key)
    const hash = other?.hash ?? (await this.#builtIn.hashes()).get(key)
    if (hash === undefined) return undefined
    const form = formOf(call, 'v3')
    if (form === undefined) return unacceptable('v3')
    const asked = query.get('hash')
    // Where what was asked for is elsewhere depends on the form as well: no cache may mix them up.
    if (asked !== null && asked !== hash)
      return { status: 301, headers: { location: urlOf(key, hash), vary: 'Accept' }, body: new Uint8Array() }
    const bytes =
      other === undefined ? await this.#builtIn.versionThree(key, form) : await this.#encoded(key, form, other)
    if (bytes === undefined) return unacceptable('v3')
    const whole = bytesAnswer(200, typeOf('v3', form), bytes)
    if (asked === null) return withEtag(call, whole, `"${hash}"`)
    const forEver = { 'cache-control': `public, immutable, max-age=${YEAR_SECONDS}` }
    return withEtag(call, { ...whole, headers: { ...whole.headers, ...forEver } }, `"${hash}"`)
  }

  /** Undefined where another server's document holds what protobuf has no field for. */
  async #encoded(key: string, form: OpenApiForm, part: OpenApiPart): Promise<Uint8Array | undefined> {
    return this.#keep(`${key} ${form}`, part.hash, async () => {
      const document = await part.document()
      const bytes = this.#builtIn.encode(3, document, form)
      return form === 'json' ? bytes : bytes.catch(() => undefined)
    })
  }

  /** In protobuf for kubectl, which reads nothing else here. */
  async #versionTwo(call: IncomingCall): Promise<Answer> {
    const form = formOf(call, 'v2')
    if (form === undefined) return unacceptable('v2')
    const revision = this.#sources.map((source) => source.revision).join(' ')
    const bytes = await this.#keep(`#v2 ${form}`, revision, () => this.#mergedVersionTwo(form))
    return bytes === undefined
      ? unacceptable('v2')
      : withEtag(call, bytesAnswer(200, typeOf('v2', form), bytes), etagOf(bytes))
  }

  /** Undefined where another server's part holds what protobuf has no field for. */
  async #mergedVersionTwo(form: OpenApiForm): Promise<Uint8Array | undefined> {
    const more = this.#sources.map((source) => source.openApiV2())
    if (more.every(({ paths, definitions }) => isEmpty(paths) && isEmpty(definitions)))
      return this.#builtIn.versionTwoBytes(form)
    const own = await this.#builtIn.versionTwo()
    const merged = (part: 'paths' | 'definitions' | 'parameters'): Json =>
      Object.assign({}, own[part], ...more.map((one) => one[part])) as Json
    const document: OpenApiDocument = {
      ...own,
      paths: merged('paths'),
      definitions: merged('definitions'),
      parameters: merged('parameters'),
    }
    const bytes = this.#builtIn.encode(2, document, form)
    return form === 'json' ? bytes : bytes.catch(() => undefined)
  }

  #keep(key: string, revision: string, make: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    const known = this.#kept.get(key)
    if (known?.revision === revision) return known.bytes
    const kept = { revision, bytes: make() }
    this.#kept.set(key, kept)
    // What could not be made is not kept: who asks next is not told of it for ever.
    kept.bytes.catch(() => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key)
    })
    return kept.bytes
  }
}

function urlOf(key: string, hash: string): string {
  return `/openapi/v3/${key}?hash=${hash}`
}

/** What the caller likes best of what there is. */
function formOf(call: IncomingCall, version: Version): OpenApiForm | undefined {
  for (const { type } of parseAccept(call.headers['accept'])) {
    if (protobufTypes[version].includes(type)) return 'protobuf'
    if (jsonTypes.has(type)) return 'json'
  }
  return undefined
}

function typeOf(version: Version, form: OpenApiForm): string {
  return form === 'json' ? 'application/json' : protobufTypes[version][0]
}

function unacceptable(version: Version): Answer {
  return errorAnswer(notAcceptable(['application/json', ...protobufTypes[version]]))
}

function isEmpty(value: Json): boolean {
  return Object.keys(value).length === 0
}
