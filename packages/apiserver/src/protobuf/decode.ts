// Kubernetes' protobuf as JSON values: the same fields by number that the tables name, so that what follows decodes,
// prunes and defaults it like JSON. Typed clients, kubectl among them, send their objects this way.

import { formatTime } from '@aksel/base/clock'
import { parseJson } from '@aksel/base/json'
import { messageOf, type ApiTables, type FieldFact, type MessageFact } from '@aksel/api/tables'
import { readFields, signed, WireError, type WireField } from './wire.ts'

export const protobufMediaType = 'application/vnd.kubernetes.protobuf'

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00])

const NESTING_MAX = 1000

type JsonObject = Record<string, unknown>
type Read = (value: WireField['value']) => unknown

interface ProtoField {
  /** Undefined for an embedded message: its fields are the outer one's. */
  readonly name: string | undefined
  readonly shape: 'single' | 'list' | 'map'
  readonly read: Read
}

/** Whether the bytes are an object in Kubernetes' protobuf envelope. */
export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes[0] === magic[0] && magic.equals(bytes.subarray(0, magic.length))
}

export class ProtobufDecoder {
  readonly #tables: ApiTables
  readonly #messages = new Map<string, Read>()
  /** Of the message that is being read: only schemas nest without end. */
  #depth = 0

  constructor(tables: ApiTables) {
    this.#tables = tables
  }

  /** An object in its envelope, read as `message`; its kind and apiVersion come from the envelope. Throws WireError. */
  decode(bytes: Buffer, message: string): JsonObject {
    if (!bytes.subarray(0, 4).equals(magic))
      throw new WireError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
    let raw: Buffer = Buffer.alloc(0)
    const typed: JsonObject = {}
    for (const { number, value } of readFields(bytes.subarray(4))) {
      if (number === 1) Object.assign(typed, typeMetaOf(bytesOf(value)))
      if (number === 2) raw = bytesOf(value)
    }
    return { ...typed, ...(this.#message(message)(raw) as JsonObject) }
  }

  /** What the envelope says of its content. Throws WireError. */
  typeOf(bytes: Buffer): { readonly apiVersion?: string; readonly kind?: string } {
    for (const { number, value } of readFields(bytes.subarray(magic.length)))
      if (number === 1) return typeMetaOf(bytesOf(value))
    return {}
  }

  /** A list in its envelope whose items are `message`. Throws WireError. */
  decodeList(bytes: Buffer, message: string): JsonObject {
    const typed: JsonObject = {}
    const items: unknown[] = []
    for (const { number, value } of readFields(bytes.subarray(magic.length))) {
      if (number === 1) Object.assign(typed, typeMetaOf(bytesOf(value)))
      if (number !== 2) continue
      for (const inner of readFields(bytesOf(value))) {
        if (inner.number === 1) typed['metadata'] = this.#message('meta/v1.ListMeta')(inner.value)
        if (inner.number === 2) items.push(this.#message(message)(inner.value))
      }
    }
    return { ...typed, items }
  }

  #message(reference: string): Read {
    const known = this.#messages.get(reference)
    if (known !== undefined) return known
    let built: Read | undefined
    const read: Read = (value) => {
      if (this.#depth >= NESTING_MAX) throw new WireError('proto: exceeded max recursion depth')
      this.#depth += 1
      try {
        return (built ??= this.#build(reference))(value)
      } finally {
        this.#depth -= 1
      }
    }
    this.#messages.set(reference, read)
    return read
  }

  #build(reference: string): Read {
    const special = specialReaders[reference]
    if (special !== undefined) return special
    const fact = messageOf(this.#tables, reference)
    if (fact.js === 'list') return (value) => [...readFields(bytesOf(value))].map((field) => text(field.value))
    if (fact.js === 'quantity') return quantity
    const schema = /^schema-or-(bool|array|string-array)$/.exec(fact.js ?? '')
    if (schema !== null) return this.#schemaOr(reference, schema[1] as 'bool' | 'array' | 'string-array')
    if (fact.js !== undefined)
      throw new WireError(`proto: ${reference} is not offered in protobuf by this server: send JSON`)
    return structReader(this.#fields(fact))
  }

  /** A schema, or what may stand in its place. */
  #schemaOr(reference: string, other: 'bool' | 'array' | 'string-array'): Read {
    const schema = this.#message(`${reference.slice(0, reference.lastIndexOf('.'))}.JSONSchemaProps`)
    return (value) => {
      const fields = [...readFields(bytesOf(value))]
      const list = fields.filter(({ number }) => number === 2)
      const first = fields.find(({ number }) => number === 1)
      if (other === 'bool') return list.length > 0 ? schema(list[0]!.value) : (first?.value ?? 0n) !== 0n
      if (first !== undefined) return schema(first.value)
      return list.map((one) => (other === 'array' ? schema(one.value) : text(one.value)))
    }
  }

  #fields(fact: MessageFact): ReadonlyMap<number, ProtoField> {
    const fields = new Map<number, ProtoField>()
    for (const [name, field] of Object.entries(fact.f)) {
      if (field.n !== undefined) fields.set(field.n, this.#field(name, field))
    }
    for (const { t, n } of fact.inl ?? []) {
      if (n !== undefined) fields.set(n, { name: undefined, shape: 'single', read: this.#message(t) })
      else for (const [number, field] of this.#fields(messageOf(this.#tables, t))) fields.set(number, field)
    }
    return fields
  }

  #field(name: string, { t }: FieldFact): ProtoField {
    if (t.startsWith('[]')) return { name, shape: 'list', read: this.#type(t.slice(2)) }
    const map = /^map\[\w+\](.*)$/.exec(t)
    return map === null
      ? { name, shape: 'single', read: this.#type(t) }
      : { name, shape: 'map', read: this.#type(map[1]!) }
  }

  #type(t: string): Read {
    const list = /^\[\](.*)$/.exec(t)
    // Lists in maps are messages of one repeated field.
    if (list !== null) {
      const read = this.#type(list[1]!)
      return (value) => [...readFields(bytesOf(value))].map((field) => read(field.value))
    }
    return scalarReaders[t] ?? this.#message(t)
  }
}

function structReader(fields: ReadonlyMap<number, ProtoField>): Read {
  return (value) => {
    const object: JsonObject = {}
    for (const { number, value: raw } of readFields(bytesOf(value))) {
      const field = fields.get(number)
      if (field === undefined) continue
      if (field.name === undefined) Object.assign(object, field.read(raw))
      else if (field.shape === 'list') ((object[field.name] ??= []) as unknown[]).push(field.read(raw))
      else if (field.shape === 'map') addEntry((object[field.name] ??= {}) as JsonObject, bytesOf(raw), field.read)
      else object[field.name] = field.read(raw)
    }
    return object
  }
}

function addEntry(map: JsonObject, entry: Buffer, read: Read): void {
  let key = ''
  let item: unknown
  for (const { number, value } of readFields(entry)) {
    if (number === 1) key = text(value)
    if (number === 2) item = read(value)
  }
  Object.defineProperty(map, key, {
    // A zero time has no JSON but null.
    value: item ?? read(Buffer.alloc(0)) ?? null,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}

function typeMetaOf(bytes: Buffer): JsonObject {
  const typed: JsonObject = {}
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) typed['apiVersion'] = text(value)
    if (number === 2) typed['kind'] = text(value)
  }
  return typed
}

function bytesOf(value: WireField['value']): Buffer {
  if (typeof value === 'bigint') throw new WireError('proto: wrong wireType for a message')
  return value
}

function text(value: WireField['value']): string {
  return bytesOf(value).toString('utf8')
}

function integer(value: WireField['value']): number | bigint {
  if (typeof value !== 'bigint') throw new WireError('proto: wrong wireType for an integer')
  return signed(value)
}

function double(value: WireField['value']): number {
  if (typeof value !== 'bigint') throw new WireError('proto: wrong wireType for a double')
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.readDoubleLE()
}

const scalarReaders: Readonly<Record<string, Read>> = {
  string: text,
  bool: (value) => value !== 0n,
  int32: integer,
  int64: integer,
  double,
  bytes: (value) => bytesOf(value).toString('base64'),
}

function numbers(value: WireField['value']): ReadonlyMap<number, WireField['value']> {
  return new Map([...readFields(bytesOf(value))].map((field) => [field.number, field.value]))
}

/** A zero time is an empty message: absent in JSON. */
const time: Read = (value) => {
  const parts = numbers(value)
  return parts.size === 0 ? undefined : formatTime(Number(integer(parts.get(1) ?? 0n)) * 1000)
}

/** Microseconds do not fit into a double of milliseconds: the fraction is written by itself. */
const microTime: Read = (value) => {
  const parts = numbers(value)
  if (parts.size === 0) return undefined
  const whole = formatTime(Number(integer(parts.get(1) ?? 0n)) * 1000)
  const micros = Math.trunc(Number(integer(parts.get(2) ?? 0n)) / 1000)
  return `${whole.slice(0, -1)}.${String(micros).padStart(6, '0')}Z`
}

/** As Go writes durations: `1m30s`, `1.5s`, `300ms`. */
const duration: Read = (value) => {
  const nanos = Number(integer(numbers(value).get(1) ?? 0n))
  if (Math.abs(nanos) >= 1e9 || nanos === 0) {
    const [hours, minutes] = [Math.trunc(Math.abs(nanos) / 3.6e12), Math.trunc((Math.abs(nanos) % 3.6e12) / 6e10)]
    const seconds = `${(Math.abs(nanos) % 6e10) / 1e9}s`
    const lead = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : ''
    return `${nanos < 0 ? '-' : ''}${lead}${seconds}`
  }
  const [unit, size] = Math.abs(nanos) >= 1e6 ? ['ms', 1e6] : Math.abs(nanos) >= 1e3 ? ['µs', 1e3] : ['ns', 1]
  return `${nanos / (size as number)}${unit as string}`
}

function quantity(value: WireField['value']): string {
  const first = numbers(value).get(1)
  return first === undefined || text(first) === '' ? '0' : text(first)
}

function rawJson(value: WireField['value']): unknown {
  const raw = numbers(value).get(1)
  if (raw === undefined || bytesOf(raw).length === 0) return undefined
  if (bytesOf(raw).subarray(0, 4).equals(magic))
    throw new WireError('proto: a protobuf object within an object is not offered: send JSON')
  return parseJson(bytesOf(raw))
}

const specialReaders: Readonly<Record<string, Read>> = {
  'meta/v1.Time': time,
  'meta/v1.MicroTime': microTime,
  'meta/v1.Duration': duration,
  'apiextensions/v1.JSON': rawJson,
  'meta/v1.FieldsV1': rawJson,
  'apimachinery/runtime.RawExtension': rawJson,
  'apimachinery/intstr.IntOrString': (value) => {
    const parts = numbers(value)
    return parts.get(1) === 1n ? text(parts.get(3) ?? Buffer.alloc(0)) : integer(parts.get(2) ?? 0n)
  },
}
