// A version 3 document in protobuf (gnostic's `openapi.v3.Document`), half the size of its JSON.

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
export function encodeOpenApiV3(document: Json): Uint8Array {
  return finish(encodeOpenApiV3Steps(document))
}

export function encodeOpenApiV3Steps(document: Json): Steps<Uint8Array> {
  return encodeSteps(documentMessage, document)
}

const reference: Message = { $ref: [1, text], summary: [2, text], description: [3, text] }

/** The thing itself, or a reference to it. */
function orReference(message: () => Message): Write {
  const itself = within(1, of(message))
  const other = within(
    2,
    of(() => reference),
  )
  return (out, number, value) => (Object.hasOwn(value as Json, '$ref') ? other : itself)(out, number, value)
}

const schema: Write = orReference(() => schemaMessage)

const items: Write = (out, number, value) =>
  within(1, each(schema))(out, number, Array.isArray(value) ? value : [value])

const schemaOrFlag: Write = (out, number, value) =>
  (typeof value === 'boolean' ? within(2, flag) : within(1, schema))(out, number, value)

/** Only numbers, flags and texts have a place; of a list or object it is told that there is a default. */
const preset: Write = (out, number, value) =>
  out.message(number, (inner) => {
    if (typeof value === 'number') real(inner, 1, value)
    else if (typeof value === 'boolean') flag(inner, 2, value)
    else if (typeof value === 'string') text(inner, 3, value)
  })

const externalDocs: Write = of(() => ({ description: [1, text], url: [2, text], ...vendorExtensions(3) }))

const schemaMessage: Message = {
  nullable: [1, flag],
  readOnly: [3, flag],
  writeOnly: [4, flag],
  externalDocs: [6, externalDocs],
  example: [7, any],
  deprecated: [8, flag],
  title: [9, text],
  multipleOf: [10, real],
  maximum: [11, real],
  exclusiveMaximum: [12, flag],
  minimum: [13, real],
  exclusiveMinimum: [14, flag],
  maxLength: [15, whole],
  minLength: [16, whole],
  pattern: [17, text],
  maxItems: [18, whole],
  minItems: [19, whole],
  uniqueItems: [20, flag],
  maxProperties: [21, whole],
  minProperties: [22, whole],
  required: [23, each(text)],
  enum: [24, each(any)],
  type: [25, text],
  allOf: [26, each(schema)],
  oneOf: [27, each(schema)],
  anyOf: [28, each(schema)],
  not: [29, of(() => schemaMessage)],
  items: [30, items],
  properties: [31, within(1, named(schema))],
  additionalProperties: [32, schemaOrFlag],
  default: [33, preset],
  description: [34, text],
  format: [35, text],
  ...vendorExtensions(36),
}

const mediaType: Message = { schema: [1, schema], example: [2, any], ...vendorExtensions(5) }
const content: Write = within(1, named(of(() => mediaType)))

const parameter: Write = orReference(() => ({
  name: [1, text],
  in: [2, text],
  description: [3, text],
  required: [4, flag],
  deprecated: [5, flag],
  allowEmptyValue: [6, flag],
  style: [7, text],
  explode: [8, flag],
  allowReserved: [9, flag],
  schema: [10, schema],
  example: [11, any],
  content: [13, content],
  ...vendorExtensions(14),
}))

const requestBody: Write = orReference(() => ({
  description: [1, text],
  content: [2, content],
  required: [3, flag],
  ...vendorExtensions(4),
}))

const response: Write = orReference(() => ({ description: [1, text], content: [3, content], ...vendorExtensions(5) }))

/** The default answer has a field of its own beside the map of codes. */
const responses: Write = (out, number, value) =>
  out.message(number, (inner) => {
    for (const [code, one] of Object.entries(value as Json))
      if (code === 'default') response(inner, 1, one)
      else if (code.startsWith('x-')) named(any)(inner, 3, { [code]: one })
      else named(response)(inner, 2, { [code]: one })
  })

const securityRequirement: Write = within(1, named(within(1, each(text))))

const operation: Write = of(() => ({
  tags: [1, each(text)],
  summary: [2, text],
  description: [3, text],
  externalDocs: [4, externalDocs],
  operationId: [5, text],
  parameters: [6, each(parameter)],
  requestBody: [7, requestBody],
  responses: [8, responses],
  deprecated: [10, flag],
  security: [11, each(securityRequirement)],
  ...vendorExtensions(13),
}))

const pathItem: Write = of(() => ({
  $ref: [1, text],
  summary: [2, text],
  description: [3, text],
  get: [4, operation],
  put: [5, operation],
  post: [6, operation],
  delete: [7, operation],
  options: [8, operation],
  head: [9, operation],
  patch: [10, operation],
  trace: [11, operation],
  parameters: [13, each(parameter)],
  ...vendorExtensions(14),
}))

const securityScheme: Write = orReference(() => ({
  type: [1, text],
  description: [2, text],
  name: [3, text],
  in: [4, text],
  scheme: [5, text],
  bearerFormat: [6, text],
  openIdConnectUrl: [8, text],
  ...vendorExtensions(9),
}))

const contact: Write = of(() => ({ name: [1, text], url: [2, text], email: [3, text], ...vendorExtensions(4) }))
const license: Write = of(() => ({ name: [1, text], url: [2, text], ...vendorExtensions(3) }))

const documentMessage: LargeMessage = {
  small: {
    openapi: [1, text],
    info: [
      2,
      of(() => ({
        title: [1, text],
        description: [2, text],
        termsOfService: [3, text],
        contact: [4, contact],
        license: [5, license],
        version: [6, text],
        ...vendorExtensions(7),
      })),
    ],
    security: [6, each(securityRequirement)],
    externalDocs: [8, externalDocs],
    ...vendorExtensions(9),
  },
  large: {
    paths: { number: 4, entry: 1, write: pathItem },
    components: {
      number: 5,
      inside: {
        small: { securitySchemes: [7, within(1, named(securityScheme))], ...vendorExtensions(10) },
        large: { schemas: { number: 1, entry: 1, write: schema } },
      },
    },
  },
}
