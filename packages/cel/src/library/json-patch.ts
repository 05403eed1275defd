// What mutating policies build: JSON patches, and apply configurations as `Object{spec: Object.spec{replicas: 3}}`.

import { declare, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { toJson } from '../to-json.ts'
import { dynType, listOf, objectType, stringType, type CelType, type FieldType, type ObjectType } from '../types.ts'
import { ListValue, MapValue, sizeOf, StructValue, type Value } from '../values.ts'

export const jsonPatchType = objectType('JSONPatch', {
  op: stringType,
  path: stringType,
  from: stringType,
  value: dynType,
})

/** Any field, of any type: what an object may hold is known when it is applied. */
class AnyFields extends Map<string, FieldType> {
  override get(key: string): FieldType {
    return { key, type: dynType }
  }
}

/** The types that mutations build by name: `JSONPatch`, `Object`, `Object.spec.template`. */
export function patchStruct(name: string): ObjectType | undefined {
  if (name === 'JSONPatch') return jsonPatchType
  if (name !== 'Object' && !name.startsWith('Object.')) return undefined
  return { kind: 'object', name, fields: new AnyFields() }
}

/** What the two kinds of mutation must evaluate to. */
export const applyConfigurationOutput: CelType = patchStruct('Object')!
export const jsonPatchOutput: CelType = listOf(jsonPatchType)

/** The apply configuration as JSON; types must stand where their names say. Throws CelEvaluationError. */
export function applyConfigurationOf(value: Value): unknown {
  return withPath(value, 'Object')
}

function withPath(value: Value, path: string): unknown {
  if (value instanceof StructValue) {
    if (value.typeName !== path) {
      throw new CelEvaluationError(
        `unexpected type name ${JSON.stringify(value.typeName)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
      )
    }
    return Object.fromEntries([...value.fields].map(([field, inner]) => [field, withPath(inner, `${path}.${field}`)]))
  }
  if (value instanceof ListValue) return [...value].map((item) => withPath(item, path))
  return toJson(value)
}

export interface JsonPatchOperation {
  readonly op: string
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** The operations of a `[JSONPatch{…}]`. Throws CelEvaluationError. */
export function jsonPatchOf(value: Value): readonly JsonPatchOperation[] {
  if (!(value instanceof ListValue))
    throw new CelEvaluationError('type mismatch: JSONPatchType.expression should evaluate to array')
  return [...value].map((item) => {
    if (!(item instanceof StructValue) || item.typeName !== 'JSONPatch') {
      throw new CelEvaluationError('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch')
    }
    const operation = Object.fromEntries(
      [...item.fields].map(([field, inner]) => [field, field === 'value' ? plain(inner) : toJson(inner)]),
    )
    return operation as unknown as JsonPatchOperation
  })
}

/** A value in a patch: structs are objects by any path. */
function plain(value: Value): unknown {
  if (value instanceof StructValue) {
    return Object.fromEntries([...value.fields].map(([field, inner]) => [field, plain(inner)]))
  }
  if (value instanceof ListValue) return [...value].map(plain)
  if (value instanceof MapValue) {
    return Object.fromEntries([...value.keys()].map((key) => [String(toJson(key)), plain(value.get(key)!)]))
  }
  return toJson(value)
}

export const jsonPatchFunctions: readonly FunctionDeclaration[] = [
  declare(
    'jsonpatch.escapeKey',
    { '(string) -> string': (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1') },
    {
      cost: ([key]) => traversal(sizeOf(key!)),
      estimate: ({ args }) => ({ cost: scaled(args[0]!.size, traversalFactor), resultSize: args[0]!.size }),
    },
  ),
]
