// Parsed JSON as CEL sees it: read through its declared type where there is one, and as JSON says where there is none.

import { parseDuration, parseTimestamp } from './times.ts'
import { listOf, type CelType, type ListType, type MapType, type ObjectType } from './types.ts'
import { CelEvaluationError } from './problems.ts'
import { isValue, ListValue, MapValue, ObjectValue, Optional, type Value } from './values.ts'

type Json = unknown

/** The value of JSON under a declared type. */
export function adapt(raw: Json, type: CelType): Value {
  if (raw === undefined || raw === null) return null
  switch (type.kind) {
    case 'dyn':
    case 'param':
      return adaptUntyped(raw)
    case 'object':
      return isValue(raw) ? raw : isRecord(raw) ? new JsonObject(raw, type) : adaptUntyped(raw)
    case 'list':
      return isValue(raw) ? raw : Array.isArray(raw) ? new JsonList(raw, type) : adaptUntyped(raw)
    case 'map':
      return isValue(raw) ? raw : isRecord(raw) ? new JsonMap(raw, type) : adaptUntyped(raw)
    case 'int':
      return typeof raw === 'number' && Number.isInteger(raw) ? BigInt(raw) : adaptUntyped(raw)
    case 'double':
      return typeof raw === 'bigint' ? Number(raw) : typeof raw === 'number' ? raw : adaptUntyped(raw)
    case 'timestamp':
      return typeof raw === 'string' ? parseTimestamp(raw) : adaptUntyped(raw)
    case 'duration':
      return typeof raw === 'string' ? parseDuration(raw) : adaptUntyped(raw)
    case 'bytes':
      return typeof raw === 'string' ? fromBase64(raw) : adaptUntyped(raw)
    case 'opaque':
      return type.name === 'optional_type' && !(raw instanceof Optional)
        ? new Optional(adapt(raw, type.parameters[0]!))
        : adaptUntyped(raw)
    default:
      return adaptUntyped(raw)
  }
}

const untypedList: ListType = listOf({ kind: 'dyn' })
const untypedMap: MapType = { kind: 'map', key: { kind: 'string' }, value: { kind: 'dyn' } }

function adaptUntyped(raw: Json): Value {
  if (raw === undefined || raw === null) return null
  if (typeof raw === 'number') return Number.isInteger(raw) ? BigInt(raw) : raw
  if (typeof raw === 'string' || typeof raw === 'boolean' || typeof raw === 'bigint') return raw
  if (isValue(raw)) return raw
  if (Array.isArray(raw)) return new JsonList(raw, untypedList)
  if (isRecord(raw)) return new JsonMap(raw, untypedMap)
  throw new CelEvaluationError(`unsupported conversion of a ${typeof raw}`)
}

function isRecord(raw: Json): raw is Readonly<Record<string, Json>> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    throw new CelEvaluationError('invalid base64')
  }
}

export class JsonList extends ListValue {
  readonly raw: readonly Json[]
  readonly #type: ListType

  constructor(raw: readonly Json[], type: ListType) {
    super()
    this.raw = raw
    this.#type = type
  }

  override get type(): ListType {
    return this.#type
  }

  get size(): number {
    return this.raw.length
  }

  at(index: number): Value {
    return adapt(this.raw[index], this.#type.element)
  }
}

export class JsonMap extends MapValue {
  readonly raw: Readonly<Record<string, Json>>
  readonly #type: MapType

  constructor(raw: Readonly<Record<string, Json>>, type: MapType) {
    super()
    this.raw = raw
    this.#type = type
  }

  get size(): number {
    return Object.keys(this.raw).length
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.raw, key)) return undefined
    return adapt(this.raw[key], this.#type.value)
  }

  keys(): readonly string[] {
    return Object.keys(this.raw)
  }
}

export class JsonObject extends ObjectValue {
  readonly raw: Readonly<Record<string, Json>>
  readonly #type: ObjectType

  constructor(raw: Readonly<Record<string, Json>>, type: ObjectType) {
    super()
    this.raw = raw
    this.#type = type
  }

  get typeName(): string {
    return this.#type.name
  }

  get(field: string): Value | undefined {
    const declared = this.#type.fields.get(field)
    if (declared === undefined) return undefined
    const raw = Object.hasOwn(this.raw, declared.key) ? this.raw[declared.key] : this.#type.zeroOf?.(field)
    return raw === undefined ? undefined : adapt(raw, declared.type)
  }

  has(field: string): boolean {
    const declared = this.#type.fields.get(field)
    return declared !== undefined && Object.hasOwn(this.raw, declared.key) && this.raw[declared.key] !== undefined
  }

  fieldNames(): readonly string[] {
    return [...this.#type.fields.keys()].filter((field) => this.has(field))
  }
}
