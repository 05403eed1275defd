// Draws requests from a spec: mostly what fits, often what nearly fits, sometimes what makes no sense. The same seed draws the
// same requests.

import { fraction, type Random } from '@aksel/base/ids'
import type { Operation, Parameter, Schema, Spec } from './spec.ts'

export interface FuzzRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

const DEPTH_MAX = 6
const oddTexts = [
  '',
  'A',
  'a..b',
  '-',
  '%',
  '../x',
  '\u0000',
  'ä',
  '😀',
  'x'.repeat(300),
  '0',
  'null',
  '{}',
  '__proto__',
  '9'.repeat(30),
]
const oddNumbers = [0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308]
const accepts = [
  'application/json',
  '*/*',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'text/html',
  'application/json;q=x,;;',
]

export class RequestSource {
  readonly #spec: Spec
  readonly #random: Random

  constructor(spec: Spec, random: Random) {
    this.#spec = spec
    this.#random = random
  }

  /** One request of this operation, or something close to it. */
  next(operation: Operation): FuzzRequest {
    const method = this.#chance(0.03)
      ? this.#pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])
      : operation.method
    const headers: Record<string, string> = { 'user-agent': 'fuzz' }
    if (this.#chance(0.5)) headers['accept'] = this.#pick(accepts)
    const body = operation.body === undefined && !this.#chance(0.1) ? undefined : this.#body(operation, headers)
    return { method, path: this.#path(operation), headers, body }
  }

  /** A request for a path that is no resource. */
  document(path: string): FuzzRequest {
    const query = this.#chance(0.3)
      ? `?${this.#pick(['verbose', 'exclude=etcd', 'hash=x', 'watch=1', '%', '&&='])}`
      : ''
    return {
      method: this.#pick(['GET', 'GET', 'HEAD', 'POST']),
      path: `${path}${query}`,
      headers: { accept: this.#pick(accepts) },
      body: undefined,
    }
  }

  #path({ path, parameters }: Operation): string {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(this.#pathValue(name)))
    const query = parameters
      .filter(({ place }) => place === 'query')
      .filter(() => this.#chance(0.2))
      .map((parameter) => `${parameter.name}=${encodeURIComponent(this.#queryValue(parameter))}`)
    return query.length === 0 ? filled : `${filled}?${query.join('&')}`
  }

  #pathValue(name: string): string {
    if (this.#chance(0.05)) return this.#pick(oddTexts.filter((text) => text !== ''))
    return name === 'namespace' ? this.#pick(['default', 'fuzz', 'none']) : this.#pick(['a', 'b', 'c', 'default'])
  }

  #queryValue({ name, type }: Parameter): string {
    if (this.#chance(0.15)) return this.#pick(oddTexts)
    switch (name) {
      case 'labelSelector':
        return this.#pick(['a=b', 'a in (b,c)', '!a', 'a>1', 'a in', ',', 'a=b,c!=d'])
      case 'fieldSelector':
        return this.#pick(['metadata.name=a', 'metadata.namespace!=x', 'spec.nodeName=', 'a', 'status.phase=Running'])
      case 'resourceVersion':
        return this.#pick(['0', '1', '5', '', '-1'])
      case 'resourceVersionMatch':
        return this.#pick(['Exact', 'NotOlderThan'])
      case 'dryRun':
        return 'All'
      case 'fieldManager':
        return 'fuzz'
      case 'fieldValidation':
        return this.#pick(['Strict', 'Warn', 'Ignore'])
      case 'propagationPolicy':
        return this.#pick(['Orphan', 'Background', 'Foreground'])
      case 'timeoutSeconds':
        return '1'
      default:
        return type === 'boolean'
          ? this.#pick(['true', 'false', '1'])
          : type === 'integer'
            ? this.#pick(['0', '1', '2', '500'])
            : this.#text()
    }
  }

  #body({ method, bodyTypes, body }: Operation, headers: Record<string, string>): Buffer {
    const declared =
      bodyTypes.length === 0 || bodyTypes[0] === '*/*'
        ? ['application/json', 'application/json', 'application/yaml']
        : bodyTypes
    headers['content-type'] = this.#chance(0.04)
      ? this.#pick(['text/plain', '', 'application/vnd.kubernetes.protobuf', 'application/cbor'])
      : this.#pick(declared)
    if (this.#chance(0.02))
      return this.#pick([
        Buffer.from('{'),
        Buffer.from([0xff, 0xfe]),
        Buffer.alloc(0),
        Buffer.from('k8s\0\x0a'),
        Buffer.from('['.repeat(20_000)),
      ])
    if (headers['content-type'] === 'application/json-patch+json') return Buffer.from(JSON.stringify(this.#jsonPatch()))
    const value = method === 'PATCH' ? this.#patch() : this.#object(body ?? {})
    return Buffer.from(JSON.stringify(value) ?? 'null')
  }

  #object(schema: Schema): unknown {
    const value = this.#value(schema, 0) as Record<string, unknown> | null
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const kinds = this.#resolved(schema)['x-kubernetes-group-version-kind'] as
      | readonly Record<string, string>[]
      | undefined
    const own = kinds?.[0]
    if (own !== undefined && !this.#chance(0.1)) {
      value['kind'] = own['kind']
      value['apiVersion'] = own['group'] === '' ? own['version'] : `${own['group']}/${own['version']}`
    }
    if (!this.#chance(0.1)) value['metadata'] = { name: this.#pick(['a', 'b', 'c']), labels: { a: 'b' } }
    return value
  }

  #patch(): unknown {
    return this.#pick<unknown>([
      { metadata: { labels: { a: this.#text() } } },
      { metadata: { annotations: null } },
      { spec: { replicas: this.#pick(oddNumbers) } },
      { spec: { template: { spec: { containers: [{ name: 'c', image: 'x' }] } } } },
      { metadata: { $patch: 'replace' }, $retainKeys: 3 },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: 'y' } },
      [],
      null,
      'text',
    ])
  }

  #jsonPatch(): unknown {
    const path = this.#pick([
      '/metadata/labels/a',
      '/spec',
      '/metadata/finalizers/-',
      '',
      '/a~2',
      '/metadata/ownerReferences/99',
    ])
    return [
      {
        op: this.#pick(['add', 'remove', 'replace', 'test', 'move', 'copy', 'jump']),
        path,
        value: this.#text(),
        from: '/spec',
      },
    ]
  }

  #resolved(schema: Schema): Schema {
    const reference = schema['$ref'] ?? (schema['allOf'] as readonly Schema[] | undefined)?.[0]?.['$ref']
    return typeof reference === 'string' ? this.#spec.schema(reference) : schema
  }

  #value(raw: Schema, depth: number): unknown {
    if (this.#chance(0.03)) return this.#odd()
    const schema = this.#resolved(raw)
    const values = schema['enum'] as readonly unknown[] | undefined
    if (values !== undefined) return this.#pick(values)
    switch (schema['type']) {
      case 'object':
        return depth > DEPTH_MAX ? {} : this.#fields(schema, depth)
      case 'array':
        if (depth > DEPTH_MAX) return []
        return Array.from({ length: this.#pick([0, 1, 1, 2]) }, () =>
          this.#value((schema['items'] ?? {}) as Schema, depth + 1),
        )
      case 'string':
        return this.#string(schema['format'])
      case 'integer':
        return this.#pick([0, 1, 2, 80, 8080, ...(this.#chance(0.1) ? oddNumbers : [])])
      case 'number':
        return this.#pick([0, 0.5, 1])
      case 'boolean':
        return this.#chance(0.5)
      default:
        return this.#pick<unknown>(['1', 2, '100m', { a: 'b' }])
    }
  }

  #fields(schema: Schema, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    const required = new Set((schema['required'] ?? []) as readonly string[])
    for (const [name, field] of Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>)) {
      if (required.has(name) ? !this.#chance(0.03) : this.#chance(depth < 2 ? 0.3 : 0.12))
        object[name] = this.#value(field, depth + 1)
    }
    const more = schema['additionalProperties'] as Schema | undefined
    if (more !== undefined) object[this.#pick(['a', 'b', 'cpu'])] = this.#value(more, depth + 1)
    return object
  }

  #string(format: unknown): string {
    if (format === 'date-time') return this.#pick(['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000001Z', 'yesterday'])
    if (format === 'byte') return this.#pick(['AA==', '', '*'])
    return this.#text()
  }

  #text(): string {
    return this.#chance(0.1)
      ? this.#pick(oddTexts)
      : this.#pick(['a', 'b', 'web', 'Always', 'TCP', '10.0.0.1', 'x.example.com', '1Gi', '25%', '/x'])
  }

  #odd(): unknown {
    return this.#pick<unknown>([null, true, [], {}, '', ...oddTexts, ...oddNumbers])
  }

  #chance(probability: number): boolean {
    return fraction(this.#random) < probability
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(fraction(this.#random) * values.length)]!
  }
}
