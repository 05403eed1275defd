// What expressions compute with. Numbers of JSON stay as they are until a field is read: an int is a bigint, a double a
// number, and lists and maps read through to the parsed JSON they stand for.

import type { CelType } from './types.ts'

/** An unsigned 64-bit integer. */
export class Uint {
  readonly value: bigint

  constructor(value: bigint) {
    this.value = value
  }
}

/** A moment in nanoseconds since 1970, UTC. */
export class Timestamp {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** A span in nanoseconds. */
export class Duration {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** What `type(x)` gives. */
export class TypeValue {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

export class Optional {
  readonly value: Value | undefined

  constructor(value: Value | undefined) {
    this.value = value
  }
}

/** A value of a library's own type (an address, a version): only its functions look inside. */
export abstract class OpaqueValue {
  abstract readonly typeName: string
  abstract equals(other: OpaqueValue): boolean
  /** Counted where costs count sizes. */
  get size(): number {
    return 1
  }
}

export abstract class ListValue {
  abstract readonly size: number
  abstract at(index: number): Value
  /** The declared type, where schemas say how such lists compare. */
  get type(): CelType | undefined {
    return undefined
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let index = 0; index < this.size; index += 1) yield this.at(index)
  }
}

export class ArrayList extends ListValue {
  readonly items: readonly Value[]

  constructor(items: readonly Value[]) {
    super()
    this.items = items
  }

  get size(): number {
    return this.items.length
  }

  at(index: number): Value {
    return this.items[index]!
  }
}

/** The list a comprehension gathers: only its own fold holds it until the fold is done. */
export class GrowingList extends ListValue {
  readonly items: Value[] = []

  get size(): number {
    return this.items.length
  }

  at(index: number): Value {
    return this.items[index]!
  }
}

/** Two lists as one, without copying: `a + a + …` stays small however long it gets. */
export class JoinedList extends ListValue {
  readonly left: ListValue
  readonly right: ListValue
  readonly size: number

  constructor(left: ListValue, right: ListValue) {
    super()
    this.left = left
    this.right = right
    this.size = left.size + right.size
  }

  at(index: number): Value {
    let list: ListValue = index < this.left.size ? this.left : this.right
    let at = index < this.left.size ? index : index - this.left.size
    while (list instanceof JoinedList) {
      if (at < list.left.size) list = list.left
      else {
        at -= list.left.size
        list = list.right
      }
    }
    return list.at(at)
  }
}

export abstract class MapValue {
  abstract readonly size: number
  abstract get(key: Value): Value | undefined
  abstract keys(): Iterable<Value>
  /** What `in` asks; a map may answer `get` for what it does not hold. */
  has(key: Value): boolean {
    return this.get(key) !== undefined
  }
}

/** A map by literal keys. */
export class LiteralMap extends MapValue {
  readonly entries = new Map<string | bigint | boolean, { readonly key: Value; readonly value: Value }>()

  get size(): number {
    return this.entries.size
  }

  get(key: Value): Value | undefined {
    const plain = plainKey(key)
    return plain === undefined ? undefined : this.entries.get(plain)?.value
  }

  set(key: Value, value: Value): void {
    this.entries.set(plainKey(key)!, { key, value })
  }

  *keys(): Generator<Value> {
    for (const { key } of this.entries.values()) yield key
  }
}

/** Numbers that are equal find the same entry, whatever their type. Undefined for what can be no key. */
export function plainKey(key: Value): string | bigint | boolean | undefined {
  if (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'boolean') return key
  if (key instanceof Uint) return key.value
  if (typeof key === 'number' && Number.isInteger(key)) return BigInt(key)
  return undefined
}

/** Something with fields; what it lacks reads as undefined. */
export abstract class ObjectValue {
  abstract readonly typeName: string
  abstract get(field: string): Value | undefined
  abstract has(field: string): boolean
  abstract fieldNames(): readonly string[]
  /** How many fields are set. */
  get size(): number {
    return this.fieldNames().length
  }
}

/** What a struct literal makes: `Object.spec{replicas: 3}`. */
export class StructValue extends ObjectValue {
  readonly typeName: string
  readonly fields: ReadonlyMap<string, Value>

  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    super()
    this.typeName = name
    this.fields = fields
  }

  get(field: string): Value | undefined {
    return this.fields.get(field)
  }

  has(field: string): boolean {
    return this.fields.has(field)
  }

  fieldNames(): readonly string[] {
    return [...this.fields.keys()]
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | OpaqueValue
  | ListValue
  | MapValue
  | ObjectValue

export function isValue(raw: unknown): raw is Exclude<Value, null | boolean | bigint | number | string> {
  return (
    raw instanceof ListValue ||
    raw instanceof MapValue ||
    raw instanceof ObjectValue ||
    raw instanceof OpaqueValue ||
    raw instanceof Optional ||
    raw instanceof Timestamp ||
    raw instanceof Duration ||
    raw instanceof Uint ||
    raw instanceof TypeValue ||
    raw instanceof Uint8Array
  )
}

/** The name `type(value)` shows. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    default:
      break
  }
  if (value === null) return 'null_type'
  if (value instanceof ListValue) return 'list'
  if (value instanceof MapValue) return 'map'
  if (value instanceof ObjectValue || value instanceof OpaqueValue) return value.typeName
  if (value instanceof Uint) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  if (value instanceof Optional) return 'optional_type'
  return 'type'
}

/** Code points, bytes, elements, entries; 1 for what has no size. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return stringSize(value)
  if (value === null || typeof value !== 'object') return 1
  if (value instanceof Uint8Array) return value.length
  if (value instanceof ListValue || value instanceof MapValue || value instanceof ObjectValue) return value.size
  if (value instanceof OpaqueValue) return value.size
  if (value instanceof Optional && value.value !== undefined) return sizeOf(value.value)
  return 1
}

/** Code points. */
export function stringSize(text: string): number {
  let size = text.length
  for (let at = 0; at < text.length - 1; at += 1) {
    const code = text.charCodeAt(at)
    if (code >= 0xd800 && code < 0xdc00) size -= 1
  }
  return size
}
