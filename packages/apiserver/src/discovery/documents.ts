// The paths that are no resources: discovery, version, OpenID, and OpenAPI beside. Documents are made when first asked for
// and kept until something that is served changes.

import type { Catalog } from '@aksel/api/catalog'
import {
  aggregatedDiscovery,
  coreVersions,
  groupDocument,
  groupList,
  groupVersionsOf,
  inDiscoveryOrder,
  resourceList,
  type ServedGroupVersion,
} from '@aksel/api/discovery'
import { encodeJson } from '@aksel/base/json'
import { parseAccept } from '../http/accept.ts'
import { bytesAnswer, jsonAnswer } from '../http/answer.ts'
import type { Answer, IncomingCall } from '../http/message.ts'
import type { RequestInfo } from '../request-info.ts'
import type { ApiSource } from './api-source.ts'
import { etagOf, withEtag } from './etag.ts'
import { OpenApiDocuments } from './open-api.ts'
import { OpenApiLibrary } from './open-api-library.ts'

export interface DocumentOptions {
  readonly catalog: Catalog
  /** Of the list at `/`: what is answered elsewhere, such as health checks. */
  readonly otherPaths?: readonly string[]
  /** What is served beside the built-in kinds. */
  readonly sources?: readonly ApiSource[]
  /** Where several clusters share what their kinds say of themselves. */
  readonly openApi?: OpenApiLibrary
  /** `v1.35.7` */
  readonly gitVersion: string
  /** `10.0.0.1:443`: what clients outside see in the legacy document. */
  readonly serverAddress: string
  readonly issuer: string
  readonly jwks: () => unknown
}

interface MadeDocument {
  readonly bytes: Uint8Array
  readonly etag: string
}

export class Documents {
  readonly #options: DocumentOptions
  readonly #sources: readonly ApiSource[]
  readonly #openApi: OpenApiDocuments
  readonly #builtIn: readonly ServedGroupVersion[]
  /** By path, as long as no source changes. */
  #made = new Map<string, MadeDocument>()
  #served: readonly ServedGroupVersion[]
  #revision: string

  constructor(options: DocumentOptions) {
    this.#options = options
    this.#sources = options.sources ?? []
    const library = options.openApi ?? new OpenApiLibrary()
    this.#openApi = new OpenApiDocuments(library.documentsOf(options.catalog, options.gitVersion), this.#sources)
    this.#builtIn = groupVersionsOf(options.catalog.rows)
    this.#served = this.#builtIn
    this.#revision = ''
  }

  /** Undefined for a path that is not a document. */
  answer(call: IncomingCall, info: RequestInfo): Answer | Promise<Answer | undefined> | undefined {
    this.#refresh()
    const path = info.path.length > 1 && info.path.endsWith('/') ? info.path.slice(0, -1) : info.path
    switch (path) {
      case '/':
        return indented({ paths: this.#paths() })
      case '/version':
        return indented(versionOf(this.#options.gitVersion))
      case '/.well-known/openid-configuration':
        return jsonAnswer(200, openIdConfiguration(this.#options.issuer))
      case '/openid/v1/jwks':
        return bytesAnswer(200, 'application/jwk-set+json', encodeJson(this.#options.jwks()))
      default:
        break
    }
    const [first = '', ...rest] = path.slice(1).split('/')
    if (first === 'openapi') return this.#openApi.answer(call, info.query, rest)
    if (first !== 'api' && first !== 'apis') return undefined
    return this.#discovery(call, path, rest)
  }

  /** Discovery is made anew after a source changed. */
  #refresh(): void {
    const revision = this.#sources.map((source) => source.revision).join(' ')
    if (revision === this.#revision) return
    this.#revision = revision
    this.#made = new Map()
    const more = this.#sources.flatMap((source) => source.groupVersions())
    // Another server may take over what this one would answer: its own metrics-server, for example.
    const taken = new Set(more.map(({ group, version }) => `${group}/${version}`))
    const own = this.#builtIn.filter(({ group, version }) => !taken.has(`${group}/${version}`))
    this.#served = inDiscoveryOrder([...own, ...more])
  }

  #discovery(call: IncomingCall, path: string, rest: readonly string[]): Answer | undefined {
    const served = this.#served
    const [group = '', version = ''] = rest
    if (rest.length === 0) return this.#roots(call, path as '/api' | '/apis')
    if (path.startsWith('/api/')) {
      return rest.length === 1 ? this.#document(call, path, () => resourceList(served, '', group)) : undefined
    }
    if (rest.length === 1) return this.#document(call, path, () => groupDocument(served, group))
    if (rest.length === 2) return this.#document(call, path, () => resourceList(served, group, version))
    return undefined
  }

  #roots(call: IncomingCall, path: '/api' | '/apis'): Answer {
    const version = aggregatedVersion(call.headers['accept'])
    const part = path === '/api' ? 'api' : 'apis'
    if (version === undefined) {
      const { serverAddress } = this.#options
      const make = () => (part === 'api' ? coreVersions(serverAddress) : groupList(this.#served))
      return this.#document(call, path, make)!
    }
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
    return this.#document(call, `${path}#${version}`, () => aggregatedDiscovery(this.#served, part, version), type)!
  }

  /** Made once; answered with its ETag, and with 304 where the caller has it. */
  #document(call: IncomingCall, key: string, make: () => unknown, type = 'application/json'): Answer | undefined {
    let made = this.#made.get(key)
    if (made === undefined) {
      const document = make()
      if (document === undefined) return undefined
      const bytes = encodeJson(document)
      made = { bytes, etag: etagOf(bytes) }
      this.#made.set(key, made)
    }
    return withEtag(call, bytesAnswer(200, type, made.bytes), made.etag)
  }

  #paths(): readonly string[] {
    const groups = Map.groupBy(this.#served, ({ group }) => group)
    const paths = [
      '/api',
      '/apis',
      ...(this.#options.otherPaths ?? []),
      '/metrics',
      '/metrics/slis',
      '/openapi/v2',
      '/openapi/v3',
      '/openapi/v3/',
      '/version',
      '/.well-known/openid-configuration',
      '/openid/v1/jwks',
    ]
    for (const [group, own] of groups) {
      if (group !== '') paths.push(`/apis/${group}`)
      for (const { version } of own) paths.push(group === '' ? `/api/${version}` : `/apis/${group}/${version}`)
    }
    return paths.toSorted()
  }
}

/** The version of the aggregated document that the caller wants most, unless it prefers the legacy one. */
function aggregatedVersion(accept: string | undefined): 'v2' | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    const isJson = type === 'application/json' || type === 'application/*' || type === '*/*'
    if (!isJson) continue
    const { as, g, v } = parameters
    if (as === undefined) return undefined
    if (as !== 'APIGroupDiscoveryList' || g !== 'apidiscovery.k8s.io') continue
    // v2beta1 went with 1.33: who asks for it first is asked what else would do.
    if (v === 'v2') return v
  }
  return undefined
}

/** People read these with curl and `kubectl get --raw`: upstream indents them. */
function indented(value: unknown): Answer {
  return bytesAnswer(200, 'application/json', Buffer.from(JSON.stringify(value, null, 2)))
}

function versionOf(gitVersion: string): Readonly<Record<string, string>> {
  const [major = '1', minor = '0'] = gitVersion.slice(1).split('.')
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'aksel',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
}

function openIdConfiguration(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    jwks_uri: `${issuer.replace(/\/$/, '')}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
}
