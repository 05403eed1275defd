// Messages of protobuf as tables from JSON keys to field numbers: how both OpenAPI documents are written for kubectl.

import type { Steps } from './steps.ts'

type Json = Readonly<Record<string, unknown>>

/** Writes one field: its number, and a value as it stands in the JSON document. */
export type Write = (out: ProtobufWriter, number: number, value: unknown) => void

/** By JSON key; vendor extensions stand under `x-`. */
export interface Message {
  readonly [key: string]: readonly [number: number, write: Write]
}

/** A message that is written in steps: of its fields some are messages of that sort, or maps with thousands of entries. */
export interface LargeMessage {
  readonly small: Message
  readonly large: Readonly<
    Record<
      string,
      | { readonly number: number; readonly inside: LargeMessage }
      /** `entry`: the number of the entries within the map's message. */
      | { readonly number: number; readonly entry: number; readonly write: Write }
    >
  >
}

/** The document as bytes. Throws for a key that the message has no field for: nothing is left out in silence. */
export function* encodeSteps(message: LargeMessage, document: Json): Steps<Uint8Array> {
  const out = new ProtobufWriter()
  yield* writeLarge(out, message, document)
  return out.bytes()
}

function* writeLarge(out: ProtobufWriter, message: LargeMessage, value: Json): Steps<void> {
  for (const [key, item] of Object.entries(value)) {
    const field = message.large[key]
    if (field === undefined) {
      writeMessage(out, message.small, { [key]: item })
      yield
      continue
    }
    const start = out.begin(field.number)
    if ('inside' in field) yield* writeLarge(out, field.inside, item as Json)
    else
      for (const [name, entry] of Object.entries(item as Json)) {
        named(field.write)(out, field.entry, { [name]: entry })
        yield
      }
    out.end(start)
  }
}

/** Bytes that grow; a message within is written behind its length. */
export class ProtobufWriter {
  readonly #encoder = new TextEncoder()
  #bytes = new Uint8Array(64 * 1024)
  #length = 0

  text(number: number, value: string): void {
    const bytes = this.#encoder.encode(value)
    this.#tag(number, 2)
    this.#varint(bytes.length)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  varint(number: number, value: number): void {
    this.#tag(number, 0)
    this.#varint(value)
  }

  double(number: number, value: number): void {
    this.#tag(number, 1)
    this.#room(8)
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true)
    this.#length += 8
  }

  message(number: number, write: (out: ProtobufWriter) => void): void {
    const start = this.begin(number)
    write(this)
    this.end(start)
  }

  /** What is written from here to `end` is a message. */
  begin(number: number): number {
    this.#tag(number, 2)
    return this.#length
  }

  end(start: number): void {
    const size = this.#length - start
    const prefix = varintLength(size)
    this.#room(prefix)
    this.#bytes.copyWithin(start + prefix, start, this.#length)
    this.#length = start
    this.#varint(size)
    this.#length = start + prefix + size
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #tag(number: number, wireType: number): void {
    this.#varint(number * 8 + wireType)
  }

  /** Numbers below zero have ten bytes, as 64 bits of two's complement. */
  #varint(value: number): void {
    this.#room(10)
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
      let rest = BigInt.asUintN(64, BigInt(value))
      for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80
      this.#bytes[this.#length++] = Number(rest)
      return
    }
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1
  return length
}

const extensions = 'x-'

function writeMessage(out: ProtobufWriter, message: Message, value: Json): void {
  for (const [key, item] of Object.entries(value)) {
    const field = Object.hasOwn(message, key) ? message[key] : undefined
    const vendor = message[extensions]
    if (field !== undefined) field[1](out, field[0], item)
    else if (vendor !== undefined && key.startsWith(extensions)) vendor[1](out, vendor[0], { [key]: item })
    else throw new Error(`the OpenAPI message has no field for "${key}"`)
  }
}

export const text: Write = (out, number, value) => out.text(number, String(value))
export const flag: Write = (out, number, value) => out.varint(number, value === true ? 1 : 0)
export const whole: Write = (out, number, value) => out.varint(number, Number(value))
export const real: Write = (out, number, value) => out.double(number, Number(value))
/** Any value as YAML, of which JSON is a part. */
export const any: Write = (out, number, value) => out.message(number, (inner) => inner.text(2, JSON.stringify(value)))

/** `message` is asked for when it is needed, so that messages can hold one another. */
export function of(message: () => Message): Write {
  return (out, number, value) => out.message(number, (inner) => writeMessage(inner, message(), value as Json))
}

export function each(write: Write): Write {
  return (out, number, value) => (value as readonly unknown[]).forEach((item) => write(out, number, item))
}

/** A map: one message of name and value for each entry. */
export function named(write: Write): Write {
  return (out, number, value) => {
    for (const [name, item] of Object.entries(value as Json)) {
      out.message(number, (entry) => {
        entry.text(1, name)
        write(entry, 2, item)
      })
    }
  }
}

/** The value in a message that has this one field. */
export function within(field: number, write: Write): Write {
  return (out, number, value) => out.message(number, (inner) => write(inner, field, value))
}

export const vendorExtensions = (number: number): Message => ({ [extensions]: [number, named(any)] })
