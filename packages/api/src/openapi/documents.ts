// The OpenAPI documents of a minor: one per group version in version 3, one for everything in version 2.

import type { ApiTables, KindFact } from '../tables.ts'
import type { Descriptions } from './descriptions.ts'
import {
  definitionName,
  definitionsOf,
  refPrefix,
  type DefinitionContext,
  type OpenApiSchema,
  type OpenApiVersion,
} from './definitions.ts'
import { kindNamesOf, type KindName } from './kind-names.ts'
import { pathsOf } from './paths.ts'

export interface OpenApiOptions {
  readonly tables: ApiTables
  readonly descriptions: Descriptions
  /** The resources that are served; the documents speak of nothing else. */
  readonly kinds: readonly KindFact[]
  /** `v1.35.7`. */
  readonly gitVersion: string
}

type Document = Readonly<Record<string, unknown>>

/** `api/v1`, `apis/apps/v1`: the keys of the version 3 index. */
export function openApiGroupVersions(kinds: readonly KindFact[]): readonly string[] {
  return [...new Set(kinds.map(groupVersionPath))].sort()
}

/** The version 3 document of one group version (a key of the index), or undefined where there is none. */
export function openApiV3(options: OpenApiOptions, groupVersion: string): Document | undefined {
  const kinds = options.kinds.filter((fact) => groupVersionPath(fact) === groupVersion)
  if (kinds.length === 0) return undefined
  const { paths, definitions } = contents(options, kinds, 3)
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: options.gitVersion },
    paths,
    components: { schemas: definitions },
  }
}

export function openApiV2(options: OpenApiOptions): Document {
  const { paths, definitions } = contents(options, options.kinds, 2)
  return { swagger: '2.0', info: { title: 'Kubernetes', version: options.gitVersion }, paths, definitions }
}

function contents(
  options: OpenApiOptions,
  kinds: readonly KindFact[],
  version: OpenApiVersion,
): { readonly paths: Document; readonly definitions: Readonly<Record<string, OpenApiSchema>> } {
  const { tables, descriptions } = options
  const context: DefinitionContext = { tables, version, descriptions, kindNames: kindNamesOf(tables) }
  const roots = new Set<string>()
  const refOf = (wanted: KindName): OpenApiSchema => {
    const message = messageReference(tables, wanted)
    if (message === undefined) return { type: 'object' }
    roots.add(message)
    return { $ref: `${refPrefix(version)}${definitionName(tables, message)}` }
  }
  const paths = Object.assign({}, ...kinds.map((fact) => pathsOf({ version, refOf }, fact))) as Document
  return { paths, definitions: definitionsOf(context, [...roots]) }
}

/** The message of a kind; lists are found beside the kind that they hold. Kinds of options have none that matters. */
function messageReference(tables: ApiTables, wanted: KindName): string | undefined {
  if (wanted.kind === 'Status') return 'meta/v1.Status'
  const fact = tables.kinds.find(
    ({ group, version, kind, listKind }) =>
      group === wanted.group && version === wanted.version && (kind === wanted.kind || listKind === wanted.kind),
  )
  if (fact === undefined || wanted.kind.endsWith('Options')) return undefined
  const groupVersion = fact.msg.slice(0, fact.msg.lastIndexOf('.'))
  const reference = fact.kind === wanted.kind ? fact.msg : `${groupVersion}.${wanted.kind}`
  const message = tables.groupVersions[groupVersion]
  return message?.openapi === undefined || message.messages[reference.slice(groupVersion.length + 1)] === undefined
    ? undefined
    : reference
}

function groupVersionPath({ group, version }: KindFact): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}
