// JSON values as Kubernetes' protobuf, byte for byte as Go's generated code writes them: fields by ascending number, values
// that are no pointers always there, maps sorted by key. One closure per message, compiled on first use.

import { hasMessage, messageOf, type ApiTables, type FieldFact } from '@aksel/api/tables'
import { BackwardWriter } from './backward-writer.ts'
import { specialWriters, type Write } from './special-writers.ts'

export const protobufMagic = Buffer.from([0x6b, 0x38, 0x73, 0x00])

type Json = Readonly<Record<string, unknown>>

/** Writes one field of an object, where it is to be written. */
type WriteField = (out: BackwardWriter, object: Json) => void

export interface TypedObject {
  readonly apiVersion: string
  readonly kind: string
}

/** Beyond this a writer is not kept for the next object. */
const KEPT_MAX_BYTES = 1024 * 1024

export class ProtobufEncoder {
  readonly #tables: ApiTables
  readonly #messages = new Map<string, Write>()
  #writer = new BackwardWriter()

  constructor(tables: ApiTables) {
    this.#tables = tables
  }

  /** Has this message a protobuf form? Tables and custom resources have none. */
  canEncode(message: string): boolean {
    return hasMessage(this.#tables, message) && messageOf(this.#tables, message).np !== 1
  }

  /** The message of a kind that is no resource's own: `Status`, `Scale`, `TokenReview`; undefined where it has none. */
  messageOfKind({ apiVersion, kind }: TypedObject): string | undefined {
    const slash = apiVersion.indexOf('/')
    const [group, version] = [slash < 0 ? '' : apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
    const fact = this.#tables.kinds.find((one) => one.group === group && one.version === version && one.kind === kind)
    const derived = `${group === '' ? 'core' : group.split('.')[0]!}/${version}.${kind}`
    const candidates = [fact?.msg, group === '' || group === 'meta.k8s.io' ? `meta/v1.${kind}` : undefined, derived]
    return candidates.find((one) => one !== undefined && this.canEncode(one))
  }

  /** An object in its envelope: magic, then its type, then its fields. */
  encode(message: string, type: TypedObject, object: Json): Buffer {
    const out = this.#writer
    this.#message(message)(out, object)
    return this.#enveloped(out, type)
  }

  /** Some items of a list, as fields of the list's message. */
  encodeItems(message: string, items: readonly Json[]): Buffer {
    const out = this.#writer
    const item = this.#message(message)
    for (let at = items.length - 1; at >= 0; at -= 1) writeNested(out, 2, item, items[at])
    return this.#taken(out)
  }

  /** A list in its envelope, of pieces that `encodeItems` made; `metadata` is the list's. */
  listOf(type: TypedObject, metadata: Json, pieces: readonly Buffer[]): Buffer {
    const out = this.#writer
    writeNested(out, 1, this.#message('meta/v1.ListMeta'), metadata)
    const head = this.#taken(out)
    const length = pieces.reduce((sum, piece) => sum + piece.length, head.length)
    this.#envelopeStart(out, type, length)
    return Buffer.concat([this.#taken(out), head, ...pieces, emptyContentWords])
  }

  /** One frame of a watch: its length, then the event with the object in its envelope. */
  frame(type: string, object: Uint8Array): Buffer {
    const out = this.#writer
    const start = out.length
    out.raw(object)
    out.varint(object.length)
    out.tag(1, 2)
    out.varint(out.length - start)
    out.tag(2, 2)
    out.varint(out.text(type))
    out.tag(1, 2)
    const length = out.length
    for (let shift = 0; shift < 32; shift += 8) out.byte((length >>> shift) & 0xff)
    return this.#taken(out)
  }

  #enveloped(out: BackwardWriter, { apiVersion, kind }: TypedObject): Buffer {
    const length = out.length
    const raw = out.take()
    // contentEncoding and contentType are empty, and written all the same.
    out.raw(emptyContentWords)
    out.raw(raw)
    this.#envelopeStart(out, { apiVersion, kind }, length)
    return this.#taken(out)
  }

  /** What stands before the fields of an object: magic, its type, and how long the fields are. */
  #envelopeStart(out: BackwardWriter, { apiVersion, kind }: TypedObject, length: number): void {
    out.varint(length)
    out.tag(2, 2)
    const start = out.length
    out.varint(out.text(kind))
    out.tag(2, 2)
    out.varint(out.text(apiVersion))
    out.tag(1, 2)
    out.varint(out.length - start)
    out.tag(1, 2)
    out.raw(protobufMagic)
  }

  #taken(out: BackwardWriter): Buffer {
    const bytes = out.take()
    if (bytes.length > KEPT_MAX_BYTES) this.#writer = new BackwardWriter()
    return bytes
  }

  #message(reference: string): Write {
    const known = this.#messages.get(reference)
    if (known !== undefined) return known
    let built: Write | undefined
    const write: Write = (out, value) => (built ??= this.#build(reference))(out, value)
    this.#messages.set(reference, write)
    return write
  }

  #build(reference: string): Write {
    const special = specialWriters(reference, (name) => this.#message(name))
    if (special !== undefined) return special
    const fields = this.#fields(reference)
    return (out, value) => {
      const object = (value ?? {}) as Json
      for (const field of fields) field(out, object)
    }
  }

  /** By descending number. */
  #fields(reference: string): readonly WriteField[] {
    const numbered: { readonly number: number; readonly write: WriteField }[] = []
    const { f, inl = [] } = messageOf(this.#tables, reference)
    for (const [name, fact] of Object.entries(f)) {
      if (fact.n !== undefined) numbered.push({ number: fact.n, write: this.#field(fact.n, name, fact) })
    }
    for (const { t, n } of inl) {
      if (n === undefined) continue
      // Embedded: flattened in JSON, a message of its own here.
      const inner = this.#message(t)
      numbered.push({ number: n, write: (out, object) => writeNested(out, n, inner, object) })
    }
    return numbered.toSorted((a, b) => b.number - a.number).map(({ write }) => write)
  }

  #field(number: number, name: string, fact: FieldFact): WriteField {
    const { t } = fact
    if (t.startsWith('[]')) return this.#list(number, name, t.slice(2))
    const map = /^map\[\w+\](.*)$/.exec(t)
    if (map !== null) return this.#map(number, name, map[1]!)
    const isPointer = fact.ptr === 1 || t === 'bytes'
    const write = this.#single(t)
    return (out, object) => {
      const value = object[name]
      if (isPointer && (value === undefined || value === null)) return
      write(out, number, value)
    }
  }

  #list(number: number, name: string, t: string): WriteField {
    const write = this.#single(t)
    return (out, object) => {
      const values = object[name] as readonly unknown[] | undefined | null
      if (values === undefined || values === null) return
      for (let at = values.length - 1; at >= 0; at -= 1) write(out, number, values[at])
    }
  }

  #map(number: number, name: string, t: string): WriteField {
    const write = this.#single(t)
    return (out, object) => {
      const map = object[name] as Json | undefined | null
      if (map === undefined || map === null) return
      const keys = sortedByBytes(Object.keys(map))
      for (let at = keys.length - 1; at >= 0; at -= 1) {
        const start = out.length
        write(out, 2, map[keys[at]!])
        out.varint(out.text(keys[at]!))
        out.tag(1, 2)
        out.varint(out.length - start)
        out.tag(number, 2)
      }
    }
  }

  /** One value with its tag; undefined is the zero value. */
  #single(t: string): (out: BackwardWriter, number: number, value: unknown) => void {
    switch (t) {
      case 'string':
        return (out, number, value) => {
          out.varint(out.text((value as string | undefined) ?? ''))
          out.tag(number, 2)
        }
      case 'bool':
        return (out, number, value) => {
          out.byte(value === true ? 1 : 0)
          out.tag(number, 0)
        }
      case 'int32':
      case 'int64':
        return (out, number, value) => {
          out.varint((value as number | bigint | undefined) ?? 0)
          out.tag(number, 0)
        }
      case 'double':
        return (out, number, value) => {
          out.double(Number(value ?? 0))
          out.tag(number, 1)
        }
      case 'bytes':
        return (out, number, value) => {
          const bytes = Buffer.from((value as string | undefined) ?? '', 'base64')
          out.raw(bytes)
          out.varint(bytes.length)
          out.tag(number, 2)
        }
      default:
        return this.#nested(t)
    }
  }

  #nested(t: string): (out: BackwardWriter, number: number, value: unknown) => void {
    // A list in a map is a message of one repeated field.
    const inner: Write = t.startsWith('[]') ? listMessage(this.#list(1, 'items', t.slice(2))) : this.#message(t)
    return (out, number, value) => writeNested(out, number, inner, value)
  }
}

const emptyContentWords = Buffer.from([0x1a, 0x00, 0x22, 0x00])

function listMessage(items: WriteField): Write {
  return (out, value) => items(out, { items: value })
}

function writeNested(out: BackwardWriter, number: number, inner: Write, value: unknown): void {
  const start = out.length
  inner(out, value)
  out.varint(out.length - start)
  out.tag(number, 2)
}

/** Go sorts by bytes, JavaScript by UTF-16 units: they differ where surrogates and what lies above them meet. */
function sortedByBytes(keys: readonly string[]): readonly string[] {
  const sorted = keys.toSorted()
  return keys.some((key) => /[\uD800-\uFFFF]/.test(key))
    ? sorted.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    : sorted
}
