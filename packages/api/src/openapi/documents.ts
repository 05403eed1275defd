// The OpenAPI documents of a minor: one per group version in version 3, one for everything in version 2.

import { hasMessage, type ApiTables, type KindFact } from '../tables.ts'
import type { Descriptions } from './descriptions.ts'
import { definitionName, definitionSteps, refPrefix, type OpenApiSchema, type OpenApiVersion } from './definitions.ts'
import { kindNamesOf, type KindName } from './kind-names.ts'
import { isSharedParameter, wholeParameter } from './operations.ts'
import { pathParameters, queryParameters } from './parameters.ts'
import { groupVersionPath, pathsOf } from './paths.ts'
import { rootDocuments, rootPathsOf } from './root-paths.ts'
import { finish, type Steps } from './steps.ts'

export interface OpenApiOptions {
  readonly tables: ApiTables
  readonly descriptions: Descriptions
  /** The resources that are served; the documents speak of nothing else. */
  readonly kinds: readonly KindFact[]
  /** `v1.35.7`. */
  readonly gitVersion: string
}

export type OpenApiDocument = Readonly<Record<string, unknown>>
type Json = Readonly<Record<string, unknown>>

/** The keys of the version 3 index, sorted: `api/v1`, `apis/apps/v1`, and `apis`, `apis/apps`, `version` … beside. */
export function openApiKeys(kinds: readonly KindFact[]): readonly string[] {
  return [...new Set([...kinds.map(keyOf), ...rootDocuments(kinds).keys()])].sort()
}

/** The version 3 document of a key of the index; undefined where there is none. */
export function openApiV3(options: OpenApiOptions, key: string): OpenApiDocument | undefined {
  return finish(openApiV3Steps(options, key))
}

export function* openApiV3Steps(options: OpenApiOptions, key: string): Steps<OpenApiDocument | undefined> {
  const builder = new ContentBuilder(options, 3)
  const kinds = options.kinds.filter((fact) => keyOf(fact) === key)
  if (kinds.length > 0) yield* builder.addKinds(kinds)
  else if (!builder.addRoot(key)) return undefined
  const definitions = yield* builder.definitions()
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: options.gitVersion },
    paths: builder.paths,
    components: { schemas: definitions, securitySchemes: bearerToken },
  }
}

export function openApiV2(options: OpenApiOptions): OpenApiDocument {
  return finish(openApiV2Steps(options))
}

export function* openApiV2Steps(options: OpenApiOptions): Steps<OpenApiDocument> {
  const builder = new ContentBuilder(options, 2)
  yield* builder.addKinds(options.kinds)
  for (const key of openApiKeys(options.kinds)) builder.addRoot(key)
  const definitions = yield* builder.definitions()
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: options.gitVersion },
    paths: builder.paths,
    definitions,
    parameters: sharedParameters(),
    securityDefinitions: bearerToken,
    security: [{ BearerToken: [] }],
  }
}

const bearerToken = {
  BearerToken: { description: 'A bearer token.', type: 'apiKey', name: 'authorization', in: 'header' },
}

class ContentBuilder {
  paths: Json = {}
  readonly #options: OpenApiOptions
  readonly #version: OpenApiVersion
  readonly #roots = new Set<string>()

  constructor(options: OpenApiOptions, version: OpenApiVersion) {
    this.#options = options
    this.#version = version
  }

  *addKinds(kinds: readonly KindFact[]): Steps<void> {
    const refOf = (wanted: KindName): OpenApiSchema => this.#refOf(wanted)
    for (const fact of kinds) {
      Object.assign(this.paths, pathsOf({ version: this.#version, refOf }, fact))
      yield
    }
    const resources = refOf({ group: '', version: 'v1', kind: 'APIResourceList' })
    for (const [, [first]] of Map.groupBy(kinds, keyOf))
      Object.assign(this.paths, groupVersionPath(this.#version, first!, resources))
  }

  /** False where there is no such document. */
  addRoot(key: string): boolean {
    const document = rootDocuments(this.#options.kinds).get(key)
    if (document === undefined) return false
    Object.assign(
      this.paths,
      rootPathsOf(this.#version, document, (message) => this.#refTo(message)),
    )
    return true
  }

  definitions(): Steps<Readonly<Record<string, OpenApiSchema>>> {
    const { tables, descriptions } = this.#options
    const context = { tables, version: this.#version, descriptions, kindNames: kindNamesOf(tables) }
    return definitionSteps(context, [...this.#roots])
  }

  #refOf(wanted: KindName): OpenApiSchema {
    const message = messageReference(this.#options.tables, wanted)
    return message === undefined ? { type: 'object' } : this.#refTo(message)
  }

  #refTo(message: string): OpenApiSchema {
    this.#roots.add(message)
    return { $ref: refPrefix(this.#version) + definitionName(this.#options.tables, message) }
  }
}

/** The message of a kind or of a list, or of what every group version has. */
export function messageReference(tables: ApiTables, { group, version, kind }: KindName): string | undefined {
  const own = Object.entries(tables.groupVersions).find(
    ([, one]) => one.group === group && one.version === version && one.openapi !== undefined && kind in one.messages,
  )
  if (own !== undefined) return `${own[0]}.${kind}`
  return group === '' && hasMessage(tables, `meta/v1.${kind}`) ? `meta/v1.${kind}` : undefined
}

/** What operations of version 2 refer to by name. */
function sharedParameters(): Json {
  const all = ['list', 'post', 'patch', 'delete']
    .flatMap((action) => queryParameters(action, ''))
    .concat(['attach', 'exec', 'log', 'portforward', 'proxy'].flatMap((name) => queryParameters('connect', name)))
    .concat(pathParameters('{namespace}', ''))
  return Object.fromEntries(
    all.filter(isSharedParameter).map((one): readonly [string, unknown] => [one.name, wholeParameter(2, one)]),
  )
}

function keyOf({ group, version }: KindFact): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}
