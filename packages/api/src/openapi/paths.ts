// The operations of a resource as OpenAPI paths: what kubectl and code generators read to know what a server can do.

import type { KindFact } from '../tables.ts'
import type { OpenApiSchema, OpenApiVersion } from './definitions.ts'

export interface PathsContext {
  readonly version: OpenApiVersion
  /** A reference to the schema of a kind, by its group, version and kind. */
  readonly refOf: (kind: { readonly group: string; readonly version: string; readonly kind: string }) => OpenApiSchema
  /** Of kinds that do not take all of them. */
  readonly patchTypes?: readonly string[]
}

type Operation = Readonly<Record<string, unknown>>
type Paths = Record<string, Record<string, unknown>>

/** All paths of one resource, subresources included. */
export function pathsOf(context: PathsContext, fact: KindFact): Paths {
  const root = fact.group === '' ? `/api/${fact.version}` : `/apis/${fact.group}/${fact.version}`
  const collection =
    fact.namespaced === true ? `${root}/namespaces/{namespace}/${fact.plural}` : `${root}/${fact.plural}`
  const item = `${collection}/{name}`
  const paths: Paths = {}
  const verbs = new Set<string>(fact.verbs)
  const own = { group: fact.group, version: fact.version, kind: fact.kind }
  const list = { ...own, kind: fact.listKind ?? `${fact.kind}List` }
  const add = (path: string, method: string, request: OperationRequest): void => {
    paths[path] ??= { parameters: pathParameters(context.version, path) }
    const id = operationId(fact, path, request.action)
    paths[path][method] = { operationId: id, tags: [tagOf(fact)], ...operation(context, request) }
  }
  if (verbs.has('list')) add(collection, 'get', { action: 'list', about: own, answer: list })
  if (verbs.has('list') && fact.namespaced === true)
    add(`${root}/${fact.plural}`, 'get', { action: 'list', about: own, answer: list })
  if (verbs.has('create')) add(collection, 'post', { action: 'post', about: own, answer: own, body: own })
  if (verbs.has('deletecollection'))
    add(collection, 'delete', { action: 'deletecollection', about: own, answer: status })
  if (verbs.has('get')) add(item, 'get', { action: 'get', about: own, answer: own })
  if (verbs.has('update')) add(item, 'put', { action: 'put', about: own, answer: own, body: own })
  if (verbs.has('patch')) add(item, 'patch', { action: 'patch', about: own, answer: own, body: 'patch' })
  if (verbs.has('delete')) add(item, 'delete', { action: 'delete', about: own, answer: status })
  for (const [name, sub] of Object.entries(fact.subresources ?? {})) {
    const body = { group: sub.group ?? fact.group, version: sub.version ?? fact.version, kind: sub.kind }
    for (const verb of sub.verbs) {
      const method = methods[verb]
      if (method === undefined) continue
      const sends = verb === 'patch' ? 'patch' : verb === 'create' || verb === 'update' ? body : undefined
      add(`${item}/${name}`, method, {
        action: method === 'get' ? 'get' : method,
        about: body,
        answer: body,
        ...(sends === undefined ? {} : { body: sends }),
      })
    }
  }
  return paths
}

const methods: Readonly<Record<string, string>> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
}
const status = { group: '', version: 'v1', kind: 'Status' }

const actionWords: Readonly<Record<string, string>> = {
  list: 'list',
  get: 'read',
  post: 'create',
  put: 'replace',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deleteCollection',
}

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/** `RbacAuthorization` of rbac.authorization.k8s.io, `Apps` of apps; of other groups every part. */
function groupWord(group: string): string {
  if (group === '') return 'Core'
  return group
    .replace(/\.k8s\.io$/, '')
    .split(/[.-]/)
    .map(capital)
    .join('')
}

/** `listAppsV1NamespacedDeployment`, `readCoreV1NamespacedPodStatus`: as code generators name functions. */
function operationId(fact: KindFact, path: string, action: string): string {
  const subresource = /\{name\}\/(\w+)$/.exec(path)?.[1] ?? ''
  const isNamespaced = path.includes('{namespace}')
  const everywhere = fact.namespaced === true && !isNamespaced ? 'ForAllNamespaces' : ''
  const about = `${isNamespaced ? 'Namespaced' : ''}${fact.kind}${capital(subresource)}${everywhere}`
  return `${actionWords[action]}${groupWord(fact.group)}${capital(fact.version)}${about}`
}

/** `apps_v1`. */
function tagOf({ group, version }: KindFact): string {
  const word =
    group === ''
      ? 'core'
      : group.replace(/\.k8s\.io$/, '').replaceAll(/[.-](\w)/g, (_all, c: string) => c.toUpperCase())
  return `${word}_${version}`
}

interface KindName {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface OperationRequest {
  readonly action: string
  readonly about: KindName
  readonly answer: KindName
  readonly body?: KindName | 'patch'
}

const allPatchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]
const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

function operation(context: PathsContext, { action, about, answer, body }: OperationRequest): Operation {
  const { patchTypes = allPatchTypes } = context
  const answerSchema = context.refOf(answer)
  const common = {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': about,
    parameters: queryParameters(context.version, action),
  }
  const bodySchema: OpenApiSchema | undefined =
    body === undefined ? undefined : body === 'patch' ? { type: 'object' } : context.refOf(body)
  if (context.version === 2) {
    const sent = bodySchema === undefined ? [] : [{ name: 'body', in: 'body', required: true, schema: bodySchema }]
    return {
      ...common,
      consumes: body === 'patch' ? patchTypes : ['*/*'],
      produces: bodyTypes,
      parameters: [...sent, ...common.parameters],
      responses: { 200: { description: 'OK', schema: answerSchema }, 401: { description: 'Unauthorized' } },
    }
  }
  const content = (types: readonly string[], schema: OpenApiSchema): unknown =>
    Object.fromEntries(types.map((type) => [type, { schema }]))
  return {
    ...common,
    ...(bodySchema === undefined
      ? {}
      : { requestBody: { required: true, content: content(body === 'patch' ? patchTypes : ['*/*'], bodySchema) } }),
    responses: {
      200: { description: 'OK', content: content(bodyTypes, answerSchema) },
      401: { description: 'Unauthorized' },
    },
  }
}

/** Names and types; what they mean is in the API concepts of the Kubernetes documentation. */
const parametersByAction: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  list: {
    allowWatchBookmarks: 'boolean',
    continue: 'string',
    fieldSelector: 'string',
    labelSelector: 'string',
    limit: 'integer',
    resourceVersion: 'string',
    resourceVersionMatch: 'string',
    sendInitialEvents: 'boolean',
    timeoutSeconds: 'integer',
    watch: 'boolean',
  },
  get: {},
  post: { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' },
  put: { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' },
  patch: { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string', force: 'boolean' },
  delete: { dryRun: 'string', gracePeriodSeconds: 'integer', orphanDependents: 'boolean', propagationPolicy: 'string' },
  deletecollection: {
    dryRun: 'string',
    fieldSelector: 'string',
    gracePeriodSeconds: 'integer',
    labelSelector: 'string',
    propagationPolicy: 'string',
  },
}

function queryParameters(version: OpenApiVersion, action: string): readonly unknown[] {
  return Object.entries(parametersByAction[action] ?? {}).map(([name, type]) =>
    parameter(version, { name, type, place: 'query' }),
  )
}

function pathParameters(version: OpenApiVersion, path: string): readonly unknown[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), (match) =>
    parameter(version, { name: match[1]!, type: 'string', place: 'path' }),
  )
}

function parameter(
  version: OpenApiVersion,
  { name, type, place }: { readonly name: string; readonly type: string; readonly place: 'query' | 'path' },
): unknown {
  const shape = version === 2 ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } }
  return { name, in: place, ...(place === 'path' ? { required: true } : {}), ...shape }
}
