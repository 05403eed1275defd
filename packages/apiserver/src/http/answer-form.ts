// Answers that were made as JSON for a client that wants YAML or protobuf: errors, reviews, scales, tokens and legacy
// discovery. Objects and lists are made in their form from the start and pass here untouched.

import { parseJson } from '@aksel/base/json'
import type { ProtobufEncoder } from '../protobuf/encode.ts'
import { mediaTypes, negotiateObject } from './accept.ts'
import type { Answer, IncomingCall } from './message.ts'
import { writeYamlBody } from './yaml.ts'

type Typed = Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string }

/** Whatever has no protobuf form stays JSON. */
export async function inWantedForm(answer: Answer, call: IncomingCall, protobuf: ProtobufEncoder): Promise<Answer> {
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
