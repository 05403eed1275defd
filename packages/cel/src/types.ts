// The types of CEL expressions, with the size bounds that schemas give them, and their names in messages.

export const simpleKinds = [
  'bool',
  'int',
  'uint',
  'double',
  'string',
  'bytes',
  'null_type',
  'timestamp',
  'duration',
  'dyn',
  'error',
] as const

export type SimpleKind = (typeof simpleKinds)[number]

interface Sized {
  /** Most code points, bytes, elements or entries a value may have; 0 where nobody said. */
  readonly maxElements?: number
  /** Fewest bytes a value takes as JSON; bounds how many fit in a request. */
  readonly minSerializedSize?: number
}

export interface SimpleType extends Sized {
  readonly kind: SimpleKind
}

export interface ListType extends Sized {
  readonly kind: 'list'
  readonly element: CelType
  /** `x-kubernetes-list-type`: how two such lists compare and add up. */
  readonly listType?: 'set' | 'map'
  readonly mapKeys?: readonly string[]
}

export interface MapType extends Sized {
  readonly kind: 'map'
  readonly key: CelType
  readonly value: CelType
}

export interface FieldType {
  readonly type: CelType
  /** The JSON key, where it differs from the escaped name. */
  readonly key: string
}

export interface ObjectType extends Sized {
  readonly kind: 'object'
  readonly name: string
  /** Fields by the name expressions write. */
  readonly fields: ReadonlyMap<string, FieldType>
  /** An absent field reads as null or the empty value instead of failing: request attributes have no holes. */
  readonly zeroOf?: (field: string) => unknown
}

export interface OpaqueType extends Sized {
  readonly kind: 'opaque'
  readonly name: string
  readonly parameters: readonly CelType[]
}

export interface TypeType extends Sized {
  readonly kind: 'type'
  readonly of: CelType | undefined
}

export interface ParameterType extends Sized {
  readonly kind: 'param'
  readonly name: string
}

export type CelType = SimpleType | ListType | MapType | ObjectType | OpaqueType | TypeType | ParameterType

const simple = Object.fromEntries(simpleKinds.map((kind) => [kind, { kind }])) as Record<SimpleKind, SimpleType>

export const boolType = simple.bool
export const intType = simple.int
export const uintType = simple.uint
export const doubleType = simple.double
export const stringType = simple.string
export const bytesType = simple.bytes
export const nullType = simple.null_type
export const timestampType = simple.timestamp
export const durationType = simple.duration
export const dynType = simple.dyn
export const errorType = simple.error

export function listOf(element: CelType, bounds: Omit<Partial<ListType>, 'kind' | 'element'> = {}): ListType {
  return { kind: 'list', element, ...bounds }
}

export function mapOf(key: CelType, value: CelType, bounds: Sized = {}): MapType {
  return { kind: 'map', key, value, ...bounds }
}

export function opaque(name: string, ...parameters: readonly CelType[]): OpaqueType {
  return { kind: 'opaque', name, parameters }
}

export function optionalOf(type: CelType): OpaqueType {
  return opaque('optional_type', type)
}

export function isOptionalType(type: CelType): type is OpaqueType {
  return type.kind === 'opaque' && type.name === 'optional_type'
}

/** An object type of plain fields: names are JSON keys. */
export function objectType(name: string, fields: Readonly<Record<string, CelType>>): ObjectType {
  return {
    kind: 'object',
    name,
    fields: new Map(Object.entries(fields).map(([key, type]) => [key, { key, type }])),
  }
}

export function isDynamic(type: CelType): boolean {
  return type.kind === 'dyn' || type.kind === 'error'
}

/** The name in messages: `list(int)`, `map(string, dyn)`. */
export function typeName(type: CelType): string {
  switch (type.kind) {
    case 'list':
      return `list(${typeName(type.element)})`
    case 'map':
      return `map(${typeName(type.key)}, ${typeName(type.value)})`
    case 'object':
    case 'param':
      return type.name
    case 'opaque':
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.map(typeName).join(', ')})`
    case 'type':
      return type.of === undefined ? 'type' : `type(${typeName(type.of)})`
    case 'null_type':
      return 'null'
    case 'timestamp':
      return 'timestamp'
    case 'error':
      return '!error!'
    default:
      return type.kind
  }
}

export function sameType(left: CelType, right: CelType): boolean {
  return left === right || typeName(left) === typeName(right)
}
