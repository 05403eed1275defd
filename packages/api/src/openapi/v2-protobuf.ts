// The version 2 document in protobuf (gnostic's `openapi.v2.Document`): the only form in which kubectl reads it.

import {
  any,
  each,
  encodeSteps,
  flag,
  named,
  of,
  real,
  text,
  vendorExtensions,
  whole,
  within,
  type LargeMessage,
  type Message,
  type Write,
} from './protobuf-message.ts'
import { finish, type Steps } from './steps.ts'

type Json = Readonly<Record<string, unknown>>

/** The document as bytes. Throws for a key that the message has no field for: nothing is left out in silence. */
export function encodeOpenApiV2(document: Json): Uint8Array {
  return finish(encodeOpenApiV2Steps(document))
}

export function encodeOpenApiV2Steps(document: Json): Steps<Uint8Array> {
  return encodeSteps(documentMessage, document)
}

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

const jsonReference: Message = { $ref: [1, text], description: [2, text] }

const nonBody = (place: number, message: Message): Write =>
  within(
    2,
    within(
      place,
      of(() => message),
    ),
  )

/** A parameter, in the branch of nested alternatives that its place asks for. */
const wholeParameter: Write = (out, number, value) => {
  const place = (value as Json)['in']
  const write =
    place === 'body'
      ? within(
          1,
          of(() => bodyParameter),
        )
      : place === 'path'
        ? nonBody(4, pathParameter)
        : nonBody(3, queryParameter)
  write(out, number, value)
}

const parameter: Write = (out, number, value) =>
  Object.hasOwn(value as Json, '$ref')
    ? within(
        2,
        of(() => jsonReference),
      )(out, number, value)
    : within(1, wholeParameter)(out, number, value)

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

const apiKey: Message = {
  type: [1, text],
  name: [2, text],
  in: [3, text],
  description: [4, text],
  ...vendorExtensions(5),
}
const securityDefinition: Write = within(
  2,
  of(() => apiKey),
)
const securityRequirement: Write = within(1, named(within(1, each(text))))

const documentMessage: LargeMessage = {
  small: {
    swagger: [1, text],
    info: [2, of(() => ({ title: [1, text], version: [2, text], description: [3, text], ...vendorExtensions(7) }))],
    host: [3, text],
    basePath: [4, text],
    schemes: [5, each(text)],
    consumes: [6, each(text)],
    produces: [7, each(text)],
    parameters: [10, within(1, named(wholeParameter))],
    security: [12, each(securityRequirement)],
    securityDefinitions: [13, within(1, named(securityDefinition))],
    ...vendorExtensions(16),
  },
  large: {
    paths: { number: 8, entry: 2, write: of(() => pathItem) },
    definitions: { number: 9, entry: 1, write: schema },
  },
}
