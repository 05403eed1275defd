// The operations of a resource as OpenAPI paths: what kubectl and code generators read to know what a server can do.

import { deletionAnswersWithObject } from '../deleted-answer.ts'
import type { KindFact } from '../tables.ts'
import type { OpenApiSchema, OpenApiVersion } from './definitions.ts'
import type { KindName } from './kind-names.ts'
import { capital, groupWord, operationNames, tagOf } from './operation-names.ts'
import { pathItem, type OperationRequest } from './operations.ts'
import { pathParameters, queryParameters } from './parameters.ts'

export interface PathsContext {
  readonly version: OpenApiVersion
  /** A reference to the schema of a kind, by its group, version and kind. */
  readonly refOf: (kind: KindName) => OpenApiSchema
  /** Custom kinds take and give no protobuf and no strategic merge patches, and have no paths of their own for watches. */
  readonly isCustom?: boolean
}

export type Paths = Record<string, Readonly<Record<string, unknown>>>

const meta = (kind: string): KindName => ({ group: 'meta.k8s.io', version: 'v1', kind })
const status: KindName = { group: '', version: 'v1', kind: 'Status' }

const text = ['application/json', 'application/yaml']
const binary = 'application/vnd.kubernetes.protobuf'
const patches = ['application/json-patch+json', 'application/merge-patch+json']
const strategic = 'application/strategic-merge-patch+json'
const apply = 'application/apply-patch+yaml'

const connectMethods = ['delete', 'get', 'head', 'options', 'patch', 'post', 'put']
const connecting: Readonly<Record<string, readonly string[]>> = {
  attach: ['get', 'post'],
  exec: ['get', 'post'],
  portforward: ['get', 'post'],
  proxy: connectMethods,
}

/** All paths of one resource, subresources included. */
export function pathsOf(context: PathsContext, fact: KindFact): Paths {
  return new ResourcePaths(context, fact).all()
}

interface Wish {
  readonly path: string
  readonly method: string
  readonly action: string
  readonly answer: OpenApiSchema
  readonly about?: KindName
  readonly body?: OpenApiSchema | 'patch'
  readonly subresource?: string
}

const codesOf: Readonly<Record<string, readonly number[]>> = {
  post: [200, 201, 202],
  put: [200, 201],
  patch: [200, 201],
  delete: [200, 202],
}

class ResourcePaths {
  readonly #context: PathsContext
  readonly #fact: KindFact
  readonly #root: string
  readonly #found = new Map<string, Map<string, OperationRequest>>()

  constructor(context: PathsContext, fact: KindFact) {
    this.#context = context
    this.#fact = fact
    this.#root = fact.group === '' ? `/api/${fact.version}` : `/apis/${fact.group}/${fact.version}`
  }

  all(): Paths {
    const { namespaced, plural } = this.#fact
    const collection = namespaced === true ? `/namespaces/{namespace}/${plural}` : `/${plural}`
    this.#collection(collection)
    this.#item(`${collection}/{name}`)
    for (const name of Object.keys(this.#fact.subresources ?? {})) this.#subresource(`${collection}/{name}`, name)
    if (this.#context.isCustom !== true) this.#watches(collection)
    return Object.fromEntries(
      [...this.#found].map(([path, methods]) => [this.#root + path, pathItem(this.#context.version, methods)]),
    )
  }

  #collection(path: string): void {
    const { group, version, kind, listKind = `${kind}List`, namespaced, plural, verbs = [] } = this.#fact
    const list = this.#context.refOf({ group, version, kind: listKind })
    const own = this.#own()
    if (verbs.includes('list')) {
      this.#add({ path, method: 'get', action: 'list', answer: list })
      if (namespaced === true) this.#add({ path: `/${plural}`, method: 'get', action: 'list', answer: list })
    }
    if (verbs.includes('create')) this.#add({ path, method: 'post', action: 'post', answer: own, body: own })
    if (verbs.includes('deletecollection'))
      this.#add({
        path,
        method: 'delete',
        action: 'deletecollection',
        answer: this.#ref(status),
        body: this.#options(),
      })
  }

  #item(path: string): void {
    const { verbs = [] } = this.#fact
    const own = this.#own()
    const gone = deletionAnswersWithObject(this.#fact) ? own : this.#ref(status)
    if (verbs.includes('get')) this.#add({ path, method: 'get', action: 'get', answer: own })
    if (verbs.includes('update')) this.#add({ path, method: 'put', action: 'put', answer: own, body: own })
    if (verbs.includes('patch')) this.#add({ path, method: 'patch', action: 'patch', answer: own, body: 'patch' })
    if (verbs.includes('delete'))
      this.#add({ path, method: 'delete', action: 'delete', answer: gone, body: this.#options() })
  }

  #subresource(item: string, name: string): void {
    const { group, version, subresources = {} } = this.#fact
    const { kind, verbs, ...other } = subresources[name]!
    const about = { group: other.group ?? group, version: other.version ?? version, kind }
    const path = `${item}/${name}`
    const common = { path, about, subresource: name }
    const methods = connecting[name]
    if (methods !== undefined) {
      const paths = name === 'proxy' ? [path, `${path}/{path}`] : [path]
      for (const one of paths)
        for (const method of methods)
          this.#add({ ...common, path: one, method, action: 'connect', answer: { type: 'string' } })
      return
    }
    const answer = name === 'log' ? { type: 'string' } : this.#ref(about)
    if (verbs.includes('get')) this.#add({ ...common, method: 'get', action: 'get', answer })
    if (verbs.includes('create')) this.#add({ ...common, method: 'post', action: 'post', answer, body: answer })
    if (verbs.includes('update')) this.#add({ ...common, method: 'put', action: 'put', answer, body: answer })
    if (verbs.includes('patch')) this.#add({ ...common, method: 'patch', action: 'patch', answer, body: 'patch' })
  }

  /** The paths by which clients watched before there was a query for it. */
  #watches(collection: string): void {
    const { namespaced, plural, verbs = [] } = this.#fact
    if (!verbs.includes('watch')) return
    const answer = this.#ref(meta('WatchEvent'))
    if (namespaced === true) this.#add({ path: `/watch/${plural}`, method: 'get', action: 'watchlist', answer })
    this.#add({ path: `/watch${collection}`, method: 'get', action: 'watchlist', answer })
    this.#add({ path: `/watch${collection}/{name}`, method: 'get', action: 'watch', answer })
  }

  #add({ path, method, action, answer, about, body, subresource = '' }: Wish): void {
    const { group, version, kind } = this.#fact
    const { isCustom = false } = this.#context
    const names = operationNames(this.#fact, { path, method, action, subresource })
    const methods = this.#found.get(path) ?? new Map<string, OperationRequest>()
    this.#found.set(path, methods)
    const patchTypes = isCustom ? [...patches, apply] : [...patches, strategic, apply]
    const bodySchema = body === 'patch' ? this.#ref(meta('Patch')) : body
    methods.set(method, {
      ...names,
      tag: tagOf(this.#fact),
      action,
      about: about ?? { group, version, kind },
      parameters: [...pathParameters(path, kind), ...queryParameters(action, subresource)].toSorted((a, b) =>
        a.name < b.name ? -1 : 1,
      ),
      ...(bodySchema === undefined
        ? {}
        : {
            body: {
              schema: bodySchema,
              types: body === 'patch' ? patchTypes : isCustom ? text : ['*/*'],
              isRequired: action !== 'delete' && action !== 'deletecollection',
            },
          }),
      answer,
      answerTypes: this.#answerTypes(action, subresource),
      codes: codesOf[action] ?? [200],
    })
  }

  #answerTypes(action: string, subresource: string): readonly string[] {
    if (action === 'connect') return ['*/*']
    const types = this.#context.isCustom === true ? text : [...text, binary]
    if (subresource === 'log') return ['text/plain', ...types]
    if (this.#context.isCustom === true || !['list', 'watch', 'watchlist'].includes(action)) return types
    return [...types, 'application/json;stream=watch', `${binary};stream=watch`]
  }

  #own(): OpenApiSchema {
    const { group, version, kind } = this.#fact
    return this.#ref({ group, version, kind })
  }

  #options(): OpenApiSchema {
    return this.#ref(meta('DeleteOptions'))
  }

  #ref(kind: KindName): OpenApiSchema {
    return this.#context.refOf(kind)
  }
}

/** The documents of a group version that list its resources: `/apis/apps/v1/`. */
export function groupVersionPath(
  version: OpenApiVersion,
  fact: Pick<KindFact, 'group' | 'version'>,
  answer: OpenApiSchema,
): Paths {
  const root = fact.group === '' ? `/api/${fact.version}/` : `/apis/${fact.group}/${fact.version}/`
  const request: OperationRequest = {
    id: `get${groupWord(fact.group)}${capital(fact.version)}APIResources`,
    description: 'Lists the resources of the group version.',
    tag: tagOf(fact),
    parameters: [],
    answer,
    answerTypes: [...text, binary],
    codes: [200],
  }
  return { [root]: pathItem(version, new Map([['get', request]])) }
}
