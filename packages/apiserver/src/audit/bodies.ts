// Bodies for the audit log: what was sent and what was answered, as JSON, whatever form they had on the wire.

import { parseJson } from '@aksel/base/json'
import { parseYaml } from '../http/request-body.ts'
import { isProtobuf, type ProtobufDecoder } from '../protobuf/decode.ts'
import type { ProtobufEncoder } from '../protobuf/encode.ts'
import type { ObjectIdentity } from './event.ts'

/** Of what is read along; more is not kept. The largest request is 3 MiB, the largest event that upstream sends 10 MiB. */
const KEPT_MAX_BYTES = 10 * 1024 * 1024

/** Pieces pass through and are kept. */
export class KeptPieces {
  readonly #pieces: Uint8Array[] = []
  #size = 0
  isWhole = true

  async *through(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.#size += piece.length
      // Whoever makes pieces may use their memory again.
      if (this.#size <= KEPT_MAX_BYTES) this.#pieces.push(Buffer.from(piece))
      else this.isWhole = false
      yield piece
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

export interface BodyForms {
  readonly decoder: ProtobufDecoder
  readonly encoder: Pick<ProtobufEncoder, 'messageOfKind'>
}

/** Undefined for a body that is empty or cannot be read. */
export async function bodyAsJson(forms: BodyForms, bytes: Buffer, contentType: string | undefined): Promise<unknown> {
  if (bytes.length === 0) return undefined
  try {
    if (isProtobuf(bytes)) return protobufAsJson(forms, bytes)
    return /yaml/.test(contentType ?? '') ? await parseYaml(bytes) : parseJson(bytes)
  } catch {
    return undefined
  }
}

function protobufAsJson({ decoder, encoder }: BodyForms, bytes: Buffer): unknown {
  const { apiVersion = 'v1', kind = '' } = decoder.typeOf(bytes)
  const message = encoder.messageOfKind({ apiVersion, kind })
  if (message !== undefined) return decoder.decode(bytes, message)
  const item = encoder.messageOfKind({ apiVersion, kind: kind.replace(/List$/, '') })
  return item === undefined ? undefined : decoder.decodeList(bytes, item)
}

interface WithMetadata {
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly items?: readonly unknown[]
}

/** The object, and the objects of a list, without who owns which field. */
export function withoutManagedFields(value: unknown): unknown {
  if (!isMapping(value)) return value
  const { metadata, items } = value as WithMetadata
  const { managedFields: _, ...rest } = isMapping(metadata) ? metadata : {}
  return {
    ...value,
    ...(isMapping(metadata) ? { metadata: rest } : {}),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
  }
}

/** What an object says of which one it is. */
export function identityOf(value: unknown): ObjectIdentity | undefined {
  const metadata = isMapping(value) ? (value as WithMetadata).metadata : undefined
  if (!isMapping(metadata)) return undefined
  const text = (name: keyof ObjectIdentity): Partial<ObjectIdentity> => {
    const one = metadata[name]
    return typeof one === 'string' && one !== '' ? { [name]: one } : {}
  }
  return { ...text('name'), ...text('namespace'), ...text('uid'), ...text('resourceVersion') }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
