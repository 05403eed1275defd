// Answers that were made as JSON for a client that wants YAML or protobuf: errors, reviews, scales, tokens and legacy
// discovery. Objects and lists are made in their form from the start and pass here untouched.

import { parseJson } from '@aksel/base/json'
import type { ProtobufEncoder } from '../protobuf/encode.ts'
import { mediaTypes, negotiateObject } from './accept.ts'
import { Indenter } from './indent.ts'
import type { Answer, IncomingCall } from './message.ts'
import { writeYamlBody } from './yaml.ts'

type Typed = Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string }

/** Whatever has no protobuf form stays JSON. */
export async function inWantedForm(answer: Answer, call: IncomingCall, protobuf: ProtobufEncoder): Promise<Answer> {
  const formed = await inWantedEncoding(answer, call, protobuf)
  return formed.headers['content-type'] === mediaTypes.json && isForPeople(call) ? indented(formed) : formed
}

/** `?pretty=true` asks for it, and so do browsers, curl and wget, as upstream has it. */
function isForPeople({ url, headers }: IncomingCall): boolean {
  if (!/^\/(api|apis|version)(\/|$|\?)/.test(url)) return false
  const asked = url.includes('pretty=') ? new URLSearchParams(url.slice(url.indexOf('?'))).get('pretty') : null
  if (asked !== null && asked !== '') return /^(1|t|T|TRUE|true|True)$/.test(asked)
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '')
}

function indented(answer: Answer): Answer {
  const { value: _, ...rest } = answer
  const { body } = answer
  const indenter = new Indenter()
  if (body instanceof Uint8Array) return { ...rest, body: indenter.push(body) }
  return Symbol.asyncIterator in body ? { ...rest, body: indentedPieces(body, indenter) } : answer
}

async function* indentedPieces(pieces: AsyncIterable<Uint8Array>, indenter: Indenter): AsyncIterable<Uint8Array> {
  for await (const piece of pieces) yield indenter.push(piece)
}

async function inWantedEncoding(answer: Answer, call: IncomingCall, protobuf: ProtobufEncoder): Promise<Answer> {
  const type = answer.headers['content-type']
  if (!(answer.body instanceof Uint8Array)) return answer
  if (type === mediaTypes.yaml) return withBody(answer, type, await writeYamlBody(answer.body))
  const { accept } = call.headers
  if (type !== mediaTypes.json || accept === undefined || !/yaml|protobuf/.test(accept)) return answer
  // OpenAPI and the like negotiate by themselves.
  if (!/^\/apis?(\/|$|\?)/.test(call.url)) return answer
  const encoding = negotiateObject(accept)?.encoding
  if (encoding === 'yaml') return withBody(answer, mediaTypes.yaml, await writeYamlBody(answer.body))
  if (encoding !== 'protobuf') return answer
  const object = parseJson(answer.body) as Typed
  const typed = { ...object, apiVersion: object.apiVersion ?? 'v1' }
  const message = typeof object.kind === 'string' ? protobuf.messageOfKind(typed) : undefined
  if (message === undefined) return answer
  return withBody(answer, mediaTypes.protobuf, protobuf.encode(message, typed, typed))
}

function withBody(answer: Answer, contentType: string, body: Uint8Array): Answer {
  const { value: _, ...rest } = answer
  return { ...rest, headers: { ...answer.headers, 'content-type': contentType }, body }
}
