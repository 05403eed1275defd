// Reads JSON as Go would read it into the struct of a message: unknown fields go, nulls count as absent, quantities and
// times become canonical, and what comes out is written as Go writes it: keys in struct order, zero values where upstream
// shows them. One closure per message, compiled on first use; about 20 µs for a 4 KB pod.

import { ApiError } from '@aksel/base/errors'
import { featureGatesOf, type FeatureGates } from './feature-gates.ts'
import { arrayReader, goTypeName, mapReader, scalarReader, shapeReader } from './schema-readers.ts'
import { DecodeState, type DecodeFailure, type Reader } from './schema-state.ts'
import { tableTypes, type TableTypes } from './apply/table-types.ts'
import { fieldsOf, messageOf, type ApiTables, type FieldFact } from './tables.ts'

export interface Decoded {
  readonly value: Record<string, unknown>
  /** Paths of fields that the message does not have: `spec.containers[0].foo`. */
  readonly unknownFields: readonly string[]
}

/** The compiled form of one message. */
export interface Schema {
  /** `core/v1.Pod` */
  readonly reference: string
  /** Throws DecodeFailure, whose message is Go's: `json: cannot unmarshal string into Go struct field …`. */
  decode(input: unknown): Decoded
}

/** All messages of a minor, each compiled when first asked for. */
export interface Schemas {
  readonly tables: ApiTables
  readonly gates: FeatureGates
  /** What merging needs to know of each message. */
  readonly types: TableTypes
  get(reference: string): Schema
}

/** `gates`: fields behind a gate that is off are read and dropped. The minor's own defaults when absent. */
export function schemasOf(tables: ApiTables, gates: FeatureGates = featureGatesOf(tables.release)): Schemas {
  const compiler = new Compiler(tables, gates)
  const schemas = new Map<string, Schema>()
  return {
    tables,
    gates,
    types: tableTypes(tables),
    get(reference) {
      let schema = schemas.get(reference)
      if (schema === undefined) schemas.set(reference, (schema = schemaOf(compiler, reference)))
      return schema
    },
  }
}

function schemaOf(compiler: Compiler, reference: string): Schema {
  const read = compiler.message(reference)
  return {
    reference,
    decode(input) {
      const state = new DecodeState()
      const value = read(input ?? {}, state) as Record<string, unknown>
      return { value, unknownFields: state.unknownFields }
    },
  }
}

/** A failed decode as the API server answers it: 400 `Pod in version "v1" cannot be handled as a Pod: json: …`. */
export function decodeError(failure: DecodeFailure, kind: string, groupVersion: string): ApiError {
  const version = groupVersion.slice(groupVersion.indexOf('/') + 1)
  return new ApiError(
    'BadRequest',
    `${kind} in version "${version}" cannot be handled as a ${kind}: ${failure.message}`,
    {
      cause: failure,
    },
  )
}

type Operation = 'string' | 'bool' | 'int32' | 'int64' | 'nested' | 'dropped'

interface CompiledField {
  readonly name: string
  readonly operation: Operation
  /** For `nested`: everything that is no plain scalar. */
  readonly read: Reader
  readonly typeName: string
  /** Zero values and empty lists are left out. */
  readonly omitEmpty: boolean
  /** Written when absent; makes a fresh one each time. Undefined: left out. */
  readonly zero: (() => unknown) | undefined
}

class Compiler {
  readonly #tables: ApiTables
  readonly #gates: FeatureGates
  readonly #readers = new Map<string, Reader>()

  constructor(tables: ApiTables, gates: FeatureGates) {
    this.#tables = tables
    this.#gates = gates
  }

  /** The reader of a message; recursive messages find themselves through the indirection. */
  message(reference: string): Reader {
    const known = this.#readers.get(reference)
    if (known !== undefined) return known
    const target: { read: Reader | undefined } = { read: undefined }
    const indirect: Reader = (value, state) => (target.read ??= this.#build(reference))(value, state)
    this.#readers.set(reference, indirect)
    return indirect
  }

  #build(reference: string): Reader {
    const shape = messageOf(this.#tables, reference)
    if (shape.js !== undefined) return shapeReader(reference, shape.js, (name) => this.message(name))
    return structReader(
      reference,
      shape.tm === 1,
      fieldsOf(this.#tables, reference).map(([name, fact]) => this.#field(name, fact)),
    )
  }

  #type(t: string): Reader {
    if (t.startsWith('[]')) return arrayReader(this.#type(t.slice(2)), t)
    const map = /^map\[\w+\](.*)$/.exec(t)
    if (map !== null) return mapReader(this.#type(map[1]!), t)
    return scalarReader(t) ?? this.message(t)
  }

  #field(name: string, fact: FieldFact): CompiledField {
    const gates = fact.fg === undefined ? [] : typeof fact.fg === 'string' ? [fact.fg] : fact.fg
    const isPlain = fact.t === 'string' || fact.t === 'bool' || fact.t === 'int32' || fact.t === 'int64'
    const isDropped = gates.some((gate) => !this.#gates(gate.replace(/ .*/, '')))
    const zero = isDropped ? undefined : this.#zero(fact)
    return {
      name,
      operation: isDropped ? 'dropped' : isPlain ? (fact.t as Operation) : 'nested',
      read: this.#type(fact.t),
      typeName: goTypeName(fact.t),
      omitEmpty: fact.ptr !== 1 && (fact.oe === 1 || fact.oz === 1) && !this.#isVerbatim(fact.t),
      zero,
    }
  }

  /** Raw JSON is kept as it is, an empty object too. */
  #isVerbatim(t: string): boolean {
    return (
      !/^(\[\]|map\[)/.test(t) &&
      t.includes('.') &&
      ['object', 'any', 'envelope'].includes(messageOf(this.#tables, t).js ?? '')
    )
  }

  /** What Go writes for a field that was never set. Times and raw values, which Go writes as null, are left out. */
  #zero(fact: FieldFact): (() => unknown) | undefined {
    if (fact.ptr === 1 || fact.oz === 1) return undefined
    const isOptional = fact.oe === 1
    if (fact.t.startsWith('[]')) return isOptional ? undefined : () => []
    if (fact.t.startsWith('map[')) return isOptional ? undefined : () => ({})
    if (!fact.t.includes('.')) return isOptional ? undefined : plainZero(fact.t)
    const shape = messageOf(this.#tables, fact.t)
    if (shape.js === 'int-or-string') return () => 0
    if (shape.js === 'quantity') return () => '0'
    if (shape.js === 'list') return isOptional ? undefined : () => []
    if (shape.js !== undefined) return undefined
    const read = this.message(fact.t)
    return () => read({}, new DecodeState())
  }
}

function plainZero(t: string): (() => unknown) | undefined {
  if (t === 'string') return () => ''
  if (t === 'bool') return () => false
  return t === 'int32' || t === 'int64' || t === 'double' ? () => 0 : undefined
}

function structReader(reference: string, hasTypeMeta: boolean, fields: readonly CompiledField[]): Reader {
  const structName = reference.slice(reference.lastIndexOf('.') + 1)
  const known = new Set([...fields.map((field) => field.name), ...(hasTypeMeta ? ['apiVersion', 'kind'] : [])])
  const typeName = goTypeName(reference)
  return (value, state) => {
    if (typeof value !== 'object' || Array.isArray(value)) throw state.mismatch(value, typeName)
    const outerStruct = state.struct
    state.struct = structName
    // A null in a list is an element whose fields were never set.
    const input = (value ?? {}) as Record<string, unknown>
    const output: Record<string, unknown> = {}
    let seen = hasTypeMeta ? readTypeMeta(input, output, state) : 0
    for (const field of fields) {
      const raw = input[field.name]
      if (raw === undefined || raw === null) {
        if (raw === null) seen += 1
        if (field.zero !== undefined) output[field.name] = field.zero()
        continue
      }
      seen += 1
      const read = readField(field, raw, state)
      if (read !== undefined) output[field.name] = read
    }
    if (seen !== countKeys(input)) state.reportUnknown(input, known)
    state.struct = outerStruct
    return output
  }
}

function countKeys(input: object): number {
  let count = 0
  for (const _key in input) count += 1
  return count
}

function readTypeMeta(input: Record<string, unknown>, output: Record<string, unknown>, state: DecodeState): number {
  let seen = 0
  for (const name of typeMetaFields) {
    const raw = input[name]
    if (raw === undefined) continue
    seen += 1
    if (raw === null || raw === '') continue
    if (typeof raw !== 'string') throw state.fieldMismatch(name, raw, 'string')
    output[name] = raw
  }
  return seen
}

const typeMetaFields = ['kind', 'apiVersion'] as const

function readField(field: CompiledField, raw: unknown, state: DecodeState): unknown {
  switch (field.operation) {
    case 'string':
      if (typeof raw !== 'string') throw state.fieldMismatch(field.name, raw, 'string')
      return raw === '' && field.omitEmpty ? undefined : raw
    case 'bool':
      if (typeof raw !== 'boolean') throw state.fieldMismatch(field.name, raw, 'bool')
      return !raw && field.omitEmpty ? undefined : raw
    case 'int32':
    case 'int64':
      if (!isInteger(raw, field.operation)) throw state.fieldMismatch(field.name, raw, field.operation)
      return raw === 0 && field.omitEmpty ? undefined : raw
    case 'dropped':
      return undefined
    case 'nested':
      break
  }
  state.path.push(field.name)
  const read = field.read(raw, state)
  state.path.pop()
  return field.omitEmpty && isEmpty(read) ? field.zero?.() : read
}

function isInteger(raw: unknown, type: 'int32' | 'int64'): boolean {
  if (typeof raw === 'bigint') return type === 'int64' && raw === BigInt.asIntN(64, raw)
  if (!Number.isInteger(raw)) return false
  return type === 'int64' ? Number.isSafeInteger(raw) : (raw as number) === ((raw as number) | 0)
}

/** Go's emptiness of lists, maps and strings; structs are judged by their zero. */
function isEmpty(read: unknown): boolean {
  if (read === undefined || read === '' || read === 0) return true
  if (Array.isArray(read)) return read.length === 0
  if (typeof read !== 'object' || read === null) return false
  for (const _key in read) return false
  return true
}
