// Frames must survive every way in which a byte stream may be cut.

import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { test } from 'node:test'
import { channels, encodeFrame, readFrames, writeAll, writeClose, writeFrame } from './stream-frames.ts'

test('readFrames() finds the same frames however the bytes are cut', async () => {
  const bytes = Buffer.concat([
    encodeFrame(channels.stdin, Buffer.from('hello')),
    encodeFrame(channels.close, Buffer.from([channels.stdin])),
    encodeFrame(channels.stdout, Buffer.alloc(0)),
  ])
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
    const seen: string[] = []
    for await (const { channel, payload } of readFrames(Readable.from(chunks)))
      seen.push(`${channel}:${payload.toString('hex')}`)
    assert.deepEqual(seen, ['0:68656c6c6f', '255:00', '1:'])
  }
})

test('writeFrame() cuts what is longer than a frame may be', async () => {
  const stream = new PassThrough()
  const reading = (async () => {
    let total = 0
    for await (const { payload } of readFrames(stream)) total += payload.length
    return total
  })()
  await writeFrame(stream, channels.stdout, Buffer.alloc(200_000, 1))
  await writeClose(stream, channels.stdout)
  stream.end()
  assert.equal(await reading, 200_001)
})

test('readFrames() throws on a stream that breaks off and on a frame that is too long', async () => {
  const read = async (bytes: Buffer): Promise<void> => {
    for await (const frame of readFrames(Readable.from([bytes]))) assert.equal(frame.channel, 9)
  }
  await assert.rejects(read(encodeFrame(9, Buffer.from('abc')).subarray(0, 6)), /ended within a frame/)
  await assert.rejects(read(Buffer.from([1, 0xff, 0, 0, 0])), /4278190080 bytes/)
})

test('writeAll() resolves when the stream is closed before it drains', async () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const writing = writeAll(stream, Buffer.from('abc'))
  stream.destroy()
  await writing
  await writeAll(stream, Buffer.from('more'))
})
