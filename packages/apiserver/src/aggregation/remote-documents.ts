// What another API server says of itself: its resources and its OpenAPI, read when it is found to answer.

import type { APIService } from '@aksel/api/types/apiregistration-v1'
import { ApiError } from '@aksel/base/errors'
import { parseJson } from '@aksel/base/json'
import { masters } from '../authentication/user-info.ts'
import type { OpenApiPart, OpenApiV2Part } from '../discovery/api-source.ts'
import { askOver, openRemote, type RemoteCaller } from './remote-call.ts'

type Json = Readonly<Record<string, unknown>>

export interface RemoteDocuments {
  /** Entries of aggregated discovery. */
  readonly resources: readonly Json[]
  readonly openApiV3: OpenApiPart | undefined
  readonly openApiV2: OpenApiV2Part
}

/** As upstream's aggregator calls itself: it may read everywhere. */
const aggregator = { name: 'system:kube-aggregator', groups: [masters] }

const answerBytesMax = 64 * 1024 * 1024

/** Rejects where the server does not answer, or answers with anything but 2xx for its group version. */
export async function readRemote(
  caller: RemoteCaller,
  service: APIService,
  signal: AbortSignal,
): Promise<RemoteDocuments> {
  const { group = '', version = '' } = service.spec
  const path = `/apis/${group}/${version}`
  const url = urlOf(service, path)
  const failed = (error: Error): never => {
    throw new Error(`failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${error.message}`)
  }
  const list = (await getJson(caller, service, path, signal).catch(failed)) as Json | number
  if (typeof list === 'number')
    throw new Error(`failing or missing response from ${url}: bad status from ${url}: ${list}`)
  const [v3, v2] = await Promise.all([
    optional(getJson(caller, service, '/openapi/v3', signal)),
    optional(getJson(caller, service, '/openapi/v2', signal)),
  ])
  return {
    resources: resourcesOf(list, group, version),
    openApiV3: partOf(caller, service, v3),
    openApiV2: mergeable(v2, `${path}/`),
  }
}

/** `https://name.namespace.svc:443/apis/…` */
export function urlOf({ spec }: APIService, path: string): string {
  const { namespace = '', name = '', port = 443 } = spec.service ?? {}
  return `https://${name}.${namespace}.svc:${port}${path}`
}

/** The parsed body, or the status where it is no 2xx. */
async function getJson(caller: RemoteCaller, service: APIService, path: string, signal: AbortSignal): Promise<unknown> {
  const connection = await openRemote(caller, service, signal)
  try {
    const headers = { accept: 'application/json', host: new URL(urlOf(service, '/')).host }
    const response = await askOver(connection, {
      method: 'GET',
      path,
      headers,
      user: aggregator,
      body: undefined,
      signal,
    })
    const status = response.statusCode ?? 500
    const pieces: Uint8Array[] = []
    let bytes = 0
    for await (const piece of response as AsyncIterable<Uint8Array>) {
      bytes += piece.length
      if (bytes > answerBytesMax) throw new Error(`${path} is larger than ${answerBytesMax} bytes`)
      pieces.push(piece)
    }
    return status >= 200 && status < 300 ? parseJson(Buffer.concat(pieces)) : status
  } finally {
    connection.destroy()
  }
}

/** A server may have no OpenAPI. */
async function optional(asked: Promise<unknown>): Promise<Json | undefined> {
  const found = await asked.catch(() => undefined)
  return typeof found === 'object' && found !== null ? (found as Json) : undefined
}

interface LegacyResource {
  readonly name: string
  readonly singularName?: string
  readonly namespaced?: boolean
  readonly kind: string
  readonly group?: string
  readonly version?: string
  readonly verbs?: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

/** The legacy list as aggregated discovery writes it: subresources within their resources. */
function resourcesOf(list: Json, group: string, version: string): readonly Json[] {
  const resources = (Array.isArray(list['resources']) ? list['resources'] : []) as readonly LegacyResource[]
  const kindOf = (one: LegacyResource): Json => ({
    group: one.group ?? group,
    version: one.version ?? version,
    kind: one.kind,
  })
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((one) => {
      const subresources = resources
        .filter(({ name }) => name.startsWith(`${one.name}/`))
        .map((sub) => ({
          subresource: sub.name.slice(one.name.length + 1),
          responseKind: kindOf(sub),
          verbs: sub.verbs ?? [],
        }))
      return {
        resource: one.name,
        responseKind: kindOf(one),
        scope: one.namespaced === true ? 'Namespaced' : 'Cluster',
        singularResource: one.singularName ?? '',
        verbs: one.verbs ?? [],
        ...(one.shortNames === undefined ? {} : { shortNames: one.shortNames }),
        ...(one.categories === undefined ? {} : { categories: one.categories }),
        ...(subresources.length === 0 ? {} : { subresources }),
      }
    })
}

function partOf(caller: RemoteCaller, service: APIService, index: Json | undefined): OpenApiPart | undefined {
  const { group = '', version = '' } = service.spec
  const paths = (index?.['paths'] ?? {}) as Readonly<Record<string, { readonly serverRelativeURL?: string }>>
  const url = paths[`apis/${group}/${version}`]?.serverRelativeURL
  if (url === undefined) return undefined
  const hash = new URL(url, 'https://remote').searchParams.get('hash') ?? url
  return {
    hash,
    async document() {
      const found = await getJson(caller, service, url, AbortSignal.timeout(10_000)).catch((error: unknown) => error)
      if (typeof found === 'object' && found !== null && !(found instanceof Error)) return found as Json
      throw new ApiError('ServiceUnavailable', `error trying to reach service: ${String(found)}`)
    },
  }
}

/** Of the document of version 2, the paths below the group version, and definitions that are not Kubernetes' own. */
function mergeable(document: Json | undefined, prefix: string): RemoteDocuments['openApiV2'] {
  const pick = (part: unknown, keep: (key: string) => boolean): Json =>
    Object.fromEntries(Object.entries((part ?? {}) as Json).filter(([key]) => keep(key)))
  return {
    paths: pick(document?.['paths'], (key) => `${key}/`.startsWith(prefix)),
    definitions: pick(document?.['definitions'], (key) => !/^io\.k8s\.(apimachinery|api)\./.test(key)),
    parameters: pick(document?.['parameters'], () => true),
  }
}
