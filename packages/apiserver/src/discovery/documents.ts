// The paths that are no resources: discovery, version, OpenAPI, OpenID. Documents are made when first asked for and kept.

import { createHash } from 'node:crypto'
import type { Catalog } from '@aksel/api/catalog'
import { aggregatedDiscovery, coreVersions, groupDocument, groupList, resourceList } from '@aksel/api/discovery'
import { openApiGroupVersions, openApiV2, openApiV3 } from '@aksel/api/openapi/documents'
import { encodeOpenApiV2 } from '@aksel/api/openapi/v2-protobuf'
import { encodeJson } from '@aksel/base/json'
import { parseAccept } from '../http/accept.ts'
import { bytesAnswer, errorAnswer, jsonAnswer } from '../http/answer.ts'
import type { Answer, IncomingCall } from '../http/message.ts'
import { notAcceptable } from '../refusals.ts'
import type { RequestInfo } from '../request-info.ts'

export interface DocumentOptions {
  readonly catalog: Catalog
  /** `v1.35.7` */
  readonly gitVersion: string
  /** `10.0.0.1:443`: what clients outside see in the legacy document. */
  readonly serverAddress: string
  readonly issuer: string
  readonly jwks: () => unknown
}

/** Clients before and after the `@` was found to be no part of a media type; the answer never has it. */
const protobufTypes = [
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
] as const
const jsonTypes = ['application/json', 'application/*', '*/*'] as const

const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

export class Documents {
  readonly #options: DocumentOptions
  /** By path; what never changes while the server runs. */
  readonly #made = new Map<string, { readonly bytes: Uint8Array; readonly etag: string }>()

  constructor(options: DocumentOptions) {
    this.#options = options
  }

  /** Undefined for a path that is not a document. */
  answer(call: IncomingCall, info: RequestInfo): Answer | undefined {
    const path = info.path.length > 1 && info.path.endsWith('/') ? info.path.slice(0, -1) : info.path
    const { catalog } = this.#options
    switch (path) {
      case '/':
        return indented({ paths: this.#paths() })
      case '/version':
        return indented(versionOf(this.#options.gitVersion))
      case '/.well-known/openid-configuration':
        return jsonAnswer(200, openIdConfiguration(this.#options.issuer))
      case '/openid/v1/jwks':
        return bytesAnswer(200, 'application/jwk-set+json', encodeJson(this.#options.jwks()))
      case '/api':
      case '/apis':
        return this.#roots(call, path)
      case '/openapi/v2':
        return this.#openApiV2(call, path)
      case '/openapi/v3':
        return jsonAnswer(200, { paths: this.#openApiIndex() })
      default:
        break
    }
    const [first = '', ...rest] = path.slice(1).split('/')
    if (first === 'openapi' && rest[0] === 'v3') {
      const key = rest.slice(1).join('/')
      if (!openApiGroupVersions(catalog.facts).includes(key)) return undefined
      return this.#document(call, path, () => openApiV3(this.#openApi(), key))
    }
    if (first === 'api' && rest.length === 1)
      return this.#document(call, path, () => resourceList(catalog.rows, '', rest[0]!))
    if (first === 'apis' && rest.length === 1)
      return this.#document(call, path, () => groupDocument(catalog.rows, rest[0]!))
    if (first === 'apis' && rest.length === 2)
      return this.#document(call, path, () => resourceList(catalog.rows, rest[0]!, rest[1]!))
    return undefined
  }

  #openApi(): Parameters<typeof openApiV2>[0] {
    const { catalog, gitVersion } = this.#options
    return { tables: catalog.tables, kinds: catalog.facts, gitVersion }
  }

  #roots(call: IncomingCall, path: '/api' | '/apis'): Answer {
    const { catalog, serverAddress } = this.#options
    const wantsAggregated = parseAccept(call.headers['accept']).some(
      ({ parameters }) =>
        parameters['as'] === 'APIGroupDiscoveryList' &&
        parameters['g'] === 'apidiscovery.k8s.io' &&
        parameters['v'] === 'v2',
    )
    if (wantsAggregated) {
      const part = path === '/api' ? 'api' : 'apis'
      return this.#document(call, `${path}#aggregated`, () => aggregatedDiscovery(catalog.rows, part), aggregatedType)!
    }
    return this.#document(call, path, () => (path === '/api' ? coreVersions(serverAddress) : groupList(catalog.rows)))!
  }

  /** In protobuf for kubectl, which reads nothing else here. */
  #openApiV2(call: IncomingCall, path: string): Answer | undefined {
    for (const { type } of parseAccept(call.headers['accept'])) {
      if (jsonTypes.some((one) => one === type)) return this.#document(call, path, () => openApiV2(this.#openApi()))
      if (protobufTypes.some((one) => one === type)) {
        const make = (): Uint8Array => encodeOpenApiV2(openApiV2(this.#openApi()))
        return this.#document(call, `${path}#protobuf`, make, protobufTypes[0])
      }
    }
    return errorAnswer(notAcceptable(['application/json', ...protobufTypes]))
  }

  /** Made once; answered with its ETag, and with 304 where the caller has it. */
  #document(
    call: IncomingCall,
    key: string,
    make: () => unknown,
    contentType = 'application/json',
  ): Answer | undefined {
    let made = this.#made.get(key)
    if (made === undefined) {
      const document = make()
      if (document === undefined) return undefined
      const bytes = document instanceof Uint8Array ? document : encodeJson(document)
      made = { bytes, etag: `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"` }
      this.#made.set(key, made)
    }
    const headers = { etag: made.etag, vary: 'Accept' }
    if (call.headers['if-none-match'] === made.etag) return { status: 304, headers, body: new Uint8Array() }
    const answer = bytesAnswer(200, contentType, made.bytes)
    return { ...answer, headers: { ...answer.headers, ...headers } }
  }

  #openApiIndex(): Readonly<Record<string, unknown>> {
    const { catalog, gitVersion } = this.#options
    const hash = createHash('sha512').update(`${gitVersion} ${catalog.facts.length}`).digest('hex').toUpperCase()
    const entries = openApiGroupVersions(catalog.facts).map((key) => [
      key,
      { serverRelativeURL: `/openapi/v3/${key}?hash=${hash}` },
    ])
    return Object.fromEntries(entries) as Readonly<Record<string, unknown>>
  }

  #paths(): readonly string[] {
    const groups = new Map<string, Set<string>>()
    for (const { group, version } of this.#options.catalog.rows) {
      if (!groups.has(group)) groups.set(group, new Set())
      groups.get(group)!.add(version)
    }
    const paths = [
      '/api',
      '/apis',
      '/healthz',
      '/livez',
      '/readyz',
      '/metrics',
      '/openapi/v2',
      '/openapi/v3',
      '/version',
      '/.well-known/openid-configuration',
      '/openid/v1/jwks',
    ]
    for (const [group, versions] of groups) {
      if (group !== '') paths.push(`/apis/${group}`)
      for (const version of versions) paths.push(group === '' ? `/api/${version}` : `/apis/${group}/${version}`)
    }
    return paths.toSorted()
  }
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
