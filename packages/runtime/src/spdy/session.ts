// A SPDY/3.1 session over any byte stream, either side: exec, attach and port-forward of kubectl, and containerd's
// streaming server. Both peers ignore SPDY's windows, so there is none here; a slow stream stops the reading of all.

import { Duplex } from 'node:stream'
import { writeAll } from '../stream-frames.ts'
import { FLAG_FIN, FrameParser, controlFrame, dataFrame, frameTypes } from './frames.ts'
import type { SpdyFrame } from './frames.ts'
import { HeaderDecoder, HeaderEncoder } from './headers.ts'
import type { SpdyHeaders } from './headers.ts'

export interface SpdySessionOptions {
  readonly role: 'server' | 'client'
  /** Called for each stream that the peer opens; it has been accepted. */
  readonly onStream?: (stream: SpdyStream) => void
}

const DATA_BYTES_MAX = 32 * 1024
const BUFFER_BYTES_MAX = 1024 * 1024
const CANCEL = 5

/** One stream of a session: ending it sends FIN, destroying it RST; the peer's FIN ends the reading side. */
export class SpdyStream extends Duplex {
  readonly id: number
  /** What the opener said; lower-case names. */
  readonly headers: SpdyHeaders
  readonly #session: SpdySession
  #resume: (() => void) | undefined
  /** The peer has said everything. */
  #isWhole = false

  constructor(session: SpdySession, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true })
    this.#session = session
    this.id = id
    this.headers = headers
    // A peer that resets a stream is no error of ours; readers see the premature close.
    this.on('error', () => {})
  }

  /** The peer's data. Resolves when more may come. */
  async receive(payload: Buffer): Promise<void> {
    if (this.destroyed || this.readableEnded) return
    if (this.push(payload) || this.readableLength < BUFFER_BYTES_MAX) return
    await new Promise<void>((resolve) => (this.#resume = resolve))
  }

  /** What has come is there to read, and no more will come. */
  endReading(): void {
    if (this.destroyed || this.#isWhole) return
    this.#isWhole = true
    this.push(null)
  }

  /** The connection is gone: what came whole may still be read. */
  lose(): void {
    if (!this.#isWhole) this.destroy(new Error('the SPDY connection was lost'))
    else if (this.readableEnded) this.destroy()
    else this.once('end', () => this.destroy())
  }

  override _read(): void {
    this.#resume?.()
    this.#resume = undefined
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, chunk).then(() => callback(), callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#session.sendEnd(this.id).then(() => callback(), callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this._read()
    this.#session.forget(this, this.writableFinished && this.readableEnded)
    callback(error)
  }
}

export class SpdySession {
  readonly #socket: Duplex
  readonly #onStream: (stream: SpdyStream) => void
  readonly #streams = new Map<number, SpdyStream>()
  readonly #decoder = new HeaderDecoder()
  readonly #encoder = new HeaderEncoder()
  readonly #isServer: boolean
  #nextId: number
  /** Settles when the connection is over; never rejects. */
  readonly closed: Promise<void>

  /** Takes the socket over. `head`: bytes of it that were read already. */
  constructor(socket: Duplex, options: SpdySessionOptions, head: Uint8Array = new Uint8Array(0)) {
    this.#socket = socket
    this.#isServer = options.role === 'server'
    this.#nextId = this.#isServer ? 2 : 1
    this.#onStream = options.onStream ?? ((stream) => stream.destroy())
    socket.on('error', () => {})
    if (head.length > 0) socket.unshift(head)
    this.closed = this.#run()
  }

  /** Opens a stream; it may be written to at once. */
  open(headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(this, this.#nextId, headers)
    this.#nextId += 2
    this.#streams.set(stream.id, stream)
    const ids = Buffer.alloc(10)
    ids.writeUInt32BE(stream.id)
    void this.#send(controlFrame(frameTypes.synStream, 0, Buffer.concat([ids, this.#encoder.encode(headers)])))
    return stream
  }

  /** Says goodbye and closes the connection when all is written. */
  close(): void {
    if (this.#socket.writable) this.#socket.end(controlFrame(frameTypes.goAway, 0, Buffer.alloc(8)))
    // A peer that does not close its side would hold the connection open.
    this.#socket.once('finish', () => this.#socket.destroy())
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async sendData(streamId: number, chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; start += DATA_BYTES_MAX) {
      await this.#send(dataFrame(streamId, 0, chunk.subarray(start, start + DATA_BYTES_MAX)))
    }
  }

  sendEnd(streamId: number): Promise<void> {
    return this.#send(dataFrame(streamId, FLAG_FIN, new Uint8Array(0)))
  }

  forget(stream: SpdyStream, isComplete: boolean): void {
    if (!this.#streams.delete(stream.id) || isComplete) return
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(stream.id, 0)
    payload.writeUInt32BE(CANCEL, 4)
    void this.#send(controlFrame(frameTypes.rstStream, 0, payload))
  }

  #send(frame: Buffer): Promise<void> {
    return writeAll(this.#socket, frame)
  }

  async #run(): Promise<void> {
    const parser = new FrameParser()
    try {
      for await (const chunk of this.#socket) {
        for (const frame of parser.push(chunk as Buffer)) await this.#receive(frame)
      }
    } catch {
      // A connection that breaks and a peer that speaks something else end the same way.
    } finally {
      this.#socket.destroy()
      for (const stream of this.#streams.values()) stream.lose()
      this.#decoder.close()
    }
  }

  async #receive(frame: SpdyFrame): Promise<void> {
    if (frame.kind === 'data') {
      const stream = this.#streams.get(frame.streamId)
      if (frame.payload.length > 0) await stream?.receive(frame.payload)
      if ((frame.flags & FLAG_FIN) !== 0) stream?.endReading()
      return
    }
    switch (frame.type) {
      case frameTypes.synStream:
        return this.#accept(frame.payload, frame.flags)
      case frameTypes.synReply:
      case frameTypes.headers:
        // Nobody reads these, but the decoder must see every block.
        await this.#decoder.decode(frame.payload.subarray(4))
        if ((frame.flags & FLAG_FIN) !== 0) this.#streams.get(frame.payload.readUInt32BE(0))?.endReading()
        return
      case frameTypes.rstStream: {
        const stream = this.#streams.get(frame.payload.readUInt32BE(0))
        if (stream !== undefined) {
          this.#streams.delete(stream.id)
          // A server (containerd's) resets all streams as it closes the connection, when it has said everything: what it
          // said is kept. A client that resets has gone.
          if (this.#isServer) stream.destroy(new Error('the peer reset the stream'))
          else stream.endReading()
        }
        return
      }
      case frameTypes.ping:
        // Servers count even, clients odd: what is not ours is a question.
        if ((frame.payload.readUInt32BE(0) % 2 === 0) !== this.#isServer) {
          await this.#send(controlFrame(frameTypes.ping, 0, frame.payload))
        }
        return
      default:
        // SETTINGS, WINDOW_UPDATE, GOAWAY: nothing to do before the connection ends.
        return
    }
  }

  async #accept(payload: Buffer, flags: number): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff
    const stream = new SpdyStream(this, id, await this.#decoder.decode(payload.subarray(10)))
    this.#streams.set(id, stream)
    const reply = Buffer.alloc(4)
    reply.writeUInt32BE(id)
    await this.#send(controlFrame(frameTypes.synReply, 0, Buffer.concat([reply, this.#encoder.encode({})])))
    if ((flags & FLAG_FIN) !== 0) stream.endReading()
    this.#onStream(stream)
  }
}
