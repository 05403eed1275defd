// One operation as OpenAPI writes it, in the dialect of version 2 or of version 3.

import { refPrefix, type OpenApiSchema, type OpenApiVersion } from './definitions.ts'
import type { KindName } from './kind-names.ts'
import type { Parameter } from './parameters.ts'

export interface OperationRequest {
  readonly id: string
  readonly description: string
  readonly tag: string
  /** `list`, `post`, `connect` …; absent for documents that are no resources. */
  readonly action?: string
  readonly about?: KindName
  readonly parameters: readonly Parameter[]
  readonly body?: { readonly schema: OpenApiSchema; readonly types: readonly string[]; readonly isRequired: boolean }
  readonly answer: OpenApiSchema
  readonly answerTypes: readonly string[]
  /** Of success. */
  readonly codes: readonly number[]
}

type Operation = Readonly<Record<string, unknown>>

const phrases: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' }

/** `shared`: what stands with the path, as every operation of it takes them. */
export function operationOf(
  version: OpenApiVersion,
  request: OperationRequest,
  shared: ReadonlySet<string>,
): Operation {
  const { action, about, body, answer } = request
  const own = request.parameters.filter(({ name, place }) => !shared.has(`${place} ${name}`))
  const parameters = [
    ...own.map((one) => parameterOf(version, one)),
    ...(version === 2 && body !== undefined ? [bodyParameter(body)] : []),
  ]
  const common = {
    description: request.description,
    operationId: request.id,
    tags: [request.tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(action === undefined ? {} : { 'x-kubernetes-action': action }),
    ...(about === undefined ? {} : { 'x-kubernetes-group-version-kind': about }),
  }
  const responses = (content: OpenApiSchema): unknown =>
    Object.fromEntries([
      ...request.codes.map((code) => [code, { description: phrases[code]!, ...content }] as const),
      [401, { description: 'Unauthorized' }] as const,
    ])
  if (version === 2)
    return {
      ...common,
      schemes: ['https'],
      consumes: body?.types ?? ['*/*'],
      produces: request.answerTypes,
      responses: responses({ schema: answer }),
    }
  return {
    ...common,
    ...(body === undefined
      ? {}
      : {
          requestBody: { content: contentOf(body.types, body.schema), ...(body.isRequired ? { required: true } : {}) },
        }),
    responses: responses({ content: contentOf(request.answerTypes, answer) }),
  }
}

function contentOf(types: readonly string[], schema: OpenApiSchema): OpenApiSchema {
  return Object.fromEntries(types.map((type) => [type, { schema }]))
}

function bodyParameter({ schema, isRequired }: NonNullable<OperationRequest['body']>): OpenApiSchema {
  return { name: 'body', in: 'body', ...(isRequired ? { required: true } : {}), schema }
}

/** kubectl before 1.27 looks for these in the operation itself, and follows no reference. */
const alwaysWhole: ReadonlySet<string> = new Set(['dryRun', 'fieldValidation'])

/** Version 2 tells each parameter once, where that is enough. */
export function parameterOf(version: OpenApiVersion, parameter: Parameter): OpenApiSchema {
  if (version === 2 && isSharedParameter(parameter) && !alwaysWhole.has(parameter.name))
    return { $ref: `#/parameters/${parameter.name}` }
  return wholeParameter(version, parameter)
}

export function isSharedParameter({ place, name }: Parameter): boolean {
  return place === 'query' || name === 'namespace'
}

export function wholeParameter(version: OpenApiVersion, parameter: Parameter): OpenApiSchema {
  const { name, place, type, description } = parameter
  const shape = version === 2 ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } }
  return { name, in: place, description, ...(place === 'path' ? { required: true } : {}), ...shape }
}

/** The item of a path: parameters that all its operations take stand with the path. */
export function pathItem(
  version: OpenApiVersion,
  methods: ReadonlyMap<string, OperationRequest>,
): Readonly<Record<string, unknown>> {
  const requests = [...methods.values()]
  const [first] = requests
  const common = (first?.parameters ?? []).filter((one) =>
    requests.every(({ parameters }) => parameters.some(({ name, place }) => name === one.name && place === one.place)),
  )
  const shared = new Set(common.map(({ name, place }) => `${place} ${name}`))
  return {
    ...Object.fromEntries([...methods].map(([method, request]) => [method, operationOf(version, request, shared)])),
    ...(common.length === 0 ? {} : { parameters: common.map((one) => parameterOf(version, one)) }),
  }
}

export function refTo(version: OpenApiVersion, name: string): OpenApiSchema {
  return { $ref: refPrefix(version) + name }
}
