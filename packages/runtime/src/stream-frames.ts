// How the several streams of an exec or attach session share the one byte stream between the API server and a node.
//
//   +---------+------------------+---------+
//   | channel | length, 4 bytes, | payload |
//   | 1 byte  | big endian       |         |
//   +---------+------------------+---------+
//
// Channels and their meaning are those of Kubernetes' v5.channel.k8s.io, so that relaying copies payloads.

import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

export const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

export interface Frame {
  readonly channel: number
  /** For `error` a v1 Status, for `resize` `{"Width":80,"Height":24}`, for `close` one byte: the channel that ended. */
  readonly payload: Buffer
}

const HEADER_BYTES = 5
/** Written frames stay below; what is longer is cut. Read frames may be as long, so that a broken peer costs little. */
const PAYLOAD_BYTES_MAX = 64 * 1024

export function encodeFrame(channel: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  frame[0] = channel
  frame.writeUInt32BE(payload.length, 1)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Resolves when the stream takes more; at once for a stream that has ended, since nobody reads it. */
export async function writeFrame(stream: Writable, channel: number, payload: Uint8Array): Promise<void> {
  for (let start = 0; start === 0 || start < payload.length; start += PAYLOAD_BYTES_MAX) {
    await writeAll(stream, encodeFrame(channel, payload.subarray(start, start + PAYLOAD_BYTES_MAX)))
  }
}

/** Tells the peer that nothing more comes on this channel. */
export function writeClose(stream: Writable, channel: number): Promise<void> {
  return writeFrame(stream, channels.close, Uint8Array.of(channel))
}

/** Writes with back-pressure; resolves at once where the stream has ended. */
export async function writeAll(stream: Writable, chunk: Uint8Array): Promise<void> {
  if (!stream.writable) return
  if (stream.write(chunk)) return
  const controller = new AbortController()
  const { signal } = controller
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })])
  } finally {
    controller.abort()
  }
}

/** Ends with the stream; throws when it breaks off within a frame or a frame is too long. */
export async function* readFrames(stream: Readable): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(1)
      if (length > PAYLOAD_BYTES_MAX)
        throw new Error(`Cannot read a frame of ${length} bytes: at most ${PAYLOAD_BYTES_MAX} are allowed`)
      if (rest.length < HEADER_BYTES + length) break
      yield { channel: rest[0]!, payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + length) }
      rest = rest.subarray(HEADER_BYTES + length)
    }
  }
  if (rest.length > 0) throw new Error(`The stream ended within a frame, after ${rest.length} bytes of it`)
}
