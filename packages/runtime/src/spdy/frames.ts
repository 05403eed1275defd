// SPDY/3.1 frames on the wire, as far as Kubernetes' clients and containerd use them.
//
//   control: |1| version 15 | type 16 | flags 8 | length 24 | payload      data: |0| stream 31 | flags 8 | length 24 | payload

export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const

export const FLAG_FIN = 0x01

export type SpdyFrame =
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer }
  | { readonly kind: 'data'; readonly streamId: number; readonly flags: number; readonly payload: Buffer }

const HEADER_BYTES = 8
const VERSION = 3
/** Peers cut data at 32 KiB or so; what is far beyond is no SPDY. */
const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024

export function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(0x8000 | VERSION, 0)
  header.writeUInt16BE(type, 2)
  header.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4)
  return Buffer.concat([header, payload])
}

export function dataFrame(streamId: number, flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  frame.writeUInt32BE(streamId, 0)
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Finds frames in bytes that may be cut anywhere. */
export class FrameParser {
  #rest: Buffer = Buffer.alloc(0)

  /** The complete frames; throws on what is no SPDY. */
  push(bytes: Buffer): readonly SpdyFrame[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const frames: SpdyFrame[] = []
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(4) & 0xffffff
      if (length > PAYLOAD_BYTES_MAX) throw new Error(`Cannot read a SPDY frame of ${length} bytes`)
      if (rest.length < HEADER_BYTES + length) break
      frames.push(parseFrame(rest.subarray(0, HEADER_BYTES), rest.subarray(HEADER_BYTES, HEADER_BYTES + length)))
      rest = rest.subarray(HEADER_BYTES + length)
    }
    this.#rest = rest
    return frames
  }
}

function parseFrame(header: Buffer, payload: Buffer): SpdyFrame {
  const flags = header[4]!
  if ((header[0]! & 0x80) === 0) {
    return { kind: 'data', streamId: header.readUInt32BE(0), flags, payload }
  }
  const version = header.readUInt16BE(0) & 0x7fff
  if (version !== VERSION) throw new Error(`Cannot speak SPDY version ${version}: only ${VERSION}.1 is known`)
  return { kind: 'control', type: header.readUInt16BE(2), flags, payload }
}
