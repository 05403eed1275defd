// The environment of admission's expressions: policies, match conditions and mutations, with the types of what they see.

import { compile, type Program } from './compile.ts'
import { environment, type Environment } from './environment.ts'
import { authorizerType, resourceCheckType } from './library/authorizer.ts'
import { jsonPatchFunctions, patchStruct } from './library/json-patch.ts'
import { CelCompileError } from './problems.ts'
import {
  boolType,
  dynType,
  listOf,
  mapOf,
  objectType,
  stringType,
  timestampType,
  typeName,
  type CelType,
  type ObjectType,
} from './types.ts'

const groupVersionKind = objectType('kubernetes.GroupVersionKind', {
  group: stringType,
  version: stringType,
  kind: stringType,
})

const groupVersionResource = objectType('kubernetes.GroupVersionResource', {
  group: stringType,
  version: stringType,
  resource: stringType,
})

const userInfo = objectType('kubernetes.UserInfo', {
  username: stringType,
  uid: stringType,
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
})

export const requestType: ObjectType = objectType('kubernetes.AdmissionRequest', {
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: stringType,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: stringType,
  name: stringType,
  namespace: stringType,
  operation: stringType,
  userInfo,
  dryRun: boolType,
  options: dynType,
})

export const namespaceType: ObjectType = objectType('kubernetes.Namespace', {
  metadata: objectType('kubernetes.NamespaceMetadata', {
    name: stringType,
    generateName: stringType,
    namespace: stringType,
    labels: mapOf(stringType, stringType),
    annotations: mapOf(stringType, stringType),
    UID: stringType,
    creationTimestamp: timestampType,
    deletionGracePeriodSeconds: { kind: 'int' },
    deletionTimestamp: timestampType,
    generation: { kind: 'int' },
    resourceVersion: stringType,
    finalizers: listOf(stringType),
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: listOf(stringType) }),
  status: objectType('kubernetes.NamespaceStatus', {
    phase: stringType,
    conditions: listOf(
      objectType('kubernetes.NamespaceCondition', {
        status: stringType,
        type: stringType,
        lastTransitionTime: timestampType,
        message: stringType,
        reason: stringType,
      }),
    ),
  }),
})

export interface AdmissionEnvironmentOptions {
  /** A policy with a paramKind. */
  readonly hasParams: boolean
  /** Messages may not ask who may do what. */
  readonly hasAuthorizer: boolean
  /** Types of `variables.NAME`; absent where composition is not offered. */
  readonly variables?: Readonly<Record<string, CelType>>
  /** Mutations build `Object{…}` and `JSONPatch{…}`. */
  readonly hasPatches?: boolean
  /** What is known of the objects, for type checking. */
  readonly types?: { readonly object?: CelType; readonly params?: CelType }
}

export function admissionEnvironment(options: AdmissionEnvironmentOptions): Environment {
  const object = options.types?.object ?? dynType
  const variables: Record<string, CelType> = {
    object,
    oldObject: object,
    request: requestType,
    namespaceObject: namespaceType,
  }
  if (options.hasParams) variables['params'] = options.types?.params ?? dynType
  if (options.hasAuthorizer) {
    variables['authorizer'] = authorizerType
    variables['authorizer.requestResource'] = resourceCheckType
  }
  if (options.variables !== undefined) variables['variables'] = objectType('kubernetes.variables', options.variables)
  if (options.hasPatches !== true) return environment({ variables })
  return environment({ variables, structs: patchStruct, functions: [jsonPatchFunctions] })
}

export type AdmissionResult =
  | { readonly program: Program; readonly complaint?: undefined }
  /** Upstream's words for what is wrong. */
  | { readonly program?: undefined; readonly complaint: string }

/** Compiles an expression that must give exactly one of these types. */
export function compileAdmission(
  expression: string,
  env: Environment,
  ...outputs: readonly CelType[]
): AdmissionResult {
  let program: Program
  try {
    program = compile(expression, env)
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error
    return { complaint: `compilation failed: ${error.message}` }
  }
  const names = outputs.map(outputName)
  if (names.includes(outputName(program.outputType))) return { program }
  return { complaint: `must evaluate to ${names.length === 1 ? names[0]! : `one of [${names.join(' ')}]`}` }
}

function outputName(type: CelType): string {
  return type.kind === 'null_type' ? 'null_type' : typeName(type)
}
