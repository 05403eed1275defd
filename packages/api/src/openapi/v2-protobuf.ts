// The version 2 document in protobuf (gnostic's `openapi.v2.Document`): the only form in which kubectl reads it.

type Json = Readonly<Record<string, unknown>>

/** Writes one field: its number, and a value as it stands in the JSON document. */
type Write = (out: ProtobufWriter, number: number, value: unknown) => void

interface Message {
  readonly [key: string]: readonly [number: number, write: Write]
}

/** The document as bytes. Throws for a key that the message has no field for: nothing is left out in silence. */
export function encodeOpenApiV2(document: Json): Uint8Array {
  const out = new ProtobufWriter()
  writeMessage(out, documentMessage, document)
  return out.bytes()
}

/** Bytes that grow; a message within is written behind its length. */
class ProtobufWriter {
  readonly #encoder = new TextEncoder()
  #bytes = new Uint8Array(64 * 1024)
  #length = 0

  text(number: number, value: string): void {
    this.#lengthDelimited(number, this.#encoder.encode(value))
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
    this.#tag(number, 2)
    const start = this.#length
    write(this)
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

  #lengthDelimited(number: number, bytes: Uint8Array): void {
    this.#tag(number, 2)
    this.#varint(bytes.length)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #tag(number: number, wireType: number): void {
    this.#varint(number * 8 + wireType)
  }

  #varint(value: number): void {
    this.#room(10)
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
    const field = message[key]
    const vendor = message[extensions]
    if (field !== undefined) field[1](out, field[0], item)
    else if (vendor !== undefined && key.startsWith(extensions)) vendor[1](out, vendor[0], { [key]: item })
    else throw new Error(`the OpenAPI version 2 message has no field for "${key}"`)
  }
}

const text: Write = (out, number, value) => out.text(number, String(value))
const flag: Write = (out, number, value) => out.varint(number, value === true ? 1 : 0)
const whole: Write = (out, number, value) => out.varint(number, Number(value))
const real: Write = (out, number, value) => out.double(number, Number(value))
/** Any value as YAML, of which JSON is a part. */
const any: Write = (out, number, value) => out.message(number, (inner) => inner.text(2, JSON.stringify(value)))

function of(message: () => Message): Write {
  return (out, number, value) => out.message(number, (inner) => writeMessage(inner, message(), value as Json))
}

function each(write: Write): Write {
  return (out, number, value) => (value as readonly unknown[]).forEach((item) => write(out, number, item))
}

/** A map: one message of name and value for each entry. */
function named(write: Write): Write {
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
function within(field: number, write: Write): Write {
  return (out, number, value) => out.message(number, (inner) => write(inner, field, value))
}

const vendorExtensions = (number: number): Message => ({ [extensions]: [number, named(any)] })

const schema: Write = of(() => schemaMessage)
const properties: Write = within(1, named(schema))
const typeNames: Write = (out, number, value) =>
  within(1, each(text))(out, number, Array.isArray(value) ? value : [value])
const schemaOrFlag: Write = (out, number, value) =>
  typeof value === 'boolean' ? within(2, flag)(out, number, value) : within(1, schema)(out, number, value)

const externalDocs: Write = of(() => ({ description: [1, text], url: [2, text], ...vendorExtensions(3) }))

const schemaMessage: Message = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  multipleOf: [6, real],
  maximum: [7, real],
  exclusiveMaximum: [8, flag],
  minimum: [9, real],
  exclusiveMinimum: [10, flag],
  maxLength: [11, whole],
  minLength: [12, whole],
  pattern: [13, text],
  maxItems: [14, whole],
  minItems: [15, whole],
  uniqueItems: [16, flag],
  maxProperties: [17, whole],
  minProperties: [18, whole],
  required: [19, each(text)],
  enum: [20, each(any)],
  additionalProperties: [21, schemaOrFlag],
  type: [22, typeNames],
  items: [23, within(1, schema)],
  allOf: [24, each(schema)],
  properties: [25, properties],
  discriminator: [26, text],
  readOnly: [27, flag],
  externalDocs: [29, externalDocs],
  example: [30, any],
  ...vendorExtensions(31),
}

const bodyParameter: Message = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, schema],
  ...vendorExtensions(6),
}

const pathParameter: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
  format: [6, text],
  uniqueItems: [19, flag],
  ...vendorExtensions(22),
}

const queryParameter: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  allowEmptyValue: [5, flag],
  type: [6, text],
  format: [7, text],
  uniqueItems: [20, flag],
  ...vendorExtensions(23),
}

/** A parameter, in the branch of nested alternatives that its place asks for. */
const parameter: Write = (out, number, value) => {
  const place = (value as Json)['in']
  const alternative =
    place === 'body'
      ? within(
          1,
          of(() => bodyParameter),
        )
      : place === 'path'
        ? within(
            2,
            within(
              4,
              of(() => pathParameter),
            ),
          )
        : within(
            2,
            within(
              3,
              of(() => queryParameter),
            ),
          )
  within(1, alternative)(out, number, value)
}

const response: Message = {
  description: [1, text],
  schema: [2, within(1, schema)],
  ...vendorExtensions(5),
}

const operation: Write = of(() => ({
  tags: [1, each(text)],
  summary: [2, text],
  description: [3, text],
  externalDocs: [4, externalDocs],
  operationId: [5, text],
  produces: [6, each(text)],
  consumes: [7, each(text)],
  parameters: [8, each(parameter)],
  responses: [
    9,
    within(
      1,
      named(
        within(
          1,
          of(() => response),
        ),
      ),
    ),
  ],
  schemes: [10, each(text)],
  deprecated: [11, flag],
  ...vendorExtensions(13),
}))

const pathItem: Message = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  options: [6, operation],
  head: [7, operation],
  patch: [8, operation],
  parameters: [9, each(parameter)],
  ...vendorExtensions(10),
}

const documentMessage: Message = {
  swagger: [1, text],
  info: [2, of(() => ({ title: [1, text], version: [2, text], description: [3, text], ...vendorExtensions(7) }))],
  host: [3, text],
  basePath: [4, text],
  schemes: [5, each(text)],
  consumes: [6, each(text)],
  produces: [7, each(text)],
  paths: [8, within(2, named(of(() => pathItem)))],
  definitions: [9, properties],
  ...vendorExtensions(16),
}
