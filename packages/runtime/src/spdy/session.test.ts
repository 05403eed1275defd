// Two of our sessions against each other, and the dictionary against the checksum that the protocol gives it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { constants, createDeflate } from 'node:zlib'
import { HeaderDecoder, HeaderEncoder, spdyDictionary } from './headers.ts'
import { SpdySession } from './session.ts'
import type { SpdyStream } from './session.ts'

function adler32(bytes: Buffer): string {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return (((b << 16) | a) >>> 0).toString(16)
}

test('the dictionary is that of SPDY/3', () => {
  assert.equal(spdyDictionary().length, 1423)
  assert.equal(adler32(spdyDictionary()), 'e3c6a7c2')
})

test('HeaderDecoder reads blocks that zlib compressed with the dictionary, one after the other', async () => {
  const deflate = createDeflate({ dictionary: spdyDictionary() })
  const compress = async (bytes: Buffer): Promise<Buffer> => {
    deflate.write(bytes)
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve))
    return deflate.read() as Buffer
  }
  const pairs = (name: string, value: string): Buffer => {
    const bytes = Buffer.alloc(12 + name.length + value.length)
    bytes.writeUInt32BE(1, 0)
    bytes.writeUInt32BE(name.length, 4)
    bytes.write(name, 8)
    bytes.writeUInt32BE(value.length, 8 + name.length)
    bytes.write(value, 12 + name.length)
    return bytes
  }
  const decoder = new HeaderDecoder()
  assert.deepEqual(await decoder.decode(await compress(pairs('Streamtype', 'error'))), { streamtype: 'error' })
  assert.deepEqual(await decoder.decode(await compress(pairs('port', 'x'.repeat(40_000)))), {
    port: 'x'.repeat(40_000),
  })
  decoder.close()
  deflate.close()
})

test('HeaderDecoder reads what HeaderEncoder writes, also blocks longer than a stored part', async () => {
  const [encoder, decoder] = [new HeaderEncoder(), new HeaderDecoder()]
  for (const headers of [{ a: 'b', requestid: '0' }, {}, { long: 'é'.repeat(50_000) }]) {
    assert.deepEqual(await decoder.decode(encoder.encode(headers)), headers)
  }
  decoder.close()
})

function sessions(onStream: (stream: SpdyStream) => void): {
  client: SpdySession
  server: SpdySession
  sockets: Duplex[]
} {
  const [a, b] = duplexPair()
  return {
    client: new SpdySession(a, { role: 'client' }),
    server: new SpdySession(b, { role: 'server', onStream }),
    sockets: [a, b],
  }
}

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test('streams carry headers and data both ways, with each side ending for itself', async () => {
  const { client } = sessions((stream) => {
    void (async () => {
      const asked = await textOf(stream)
      stream.end(`${stream.headers['streamtype']} ${asked.length}`)
    })()
  })
  const texts = ['stdin', 'data', 'error'].map(async (streamtype) => {
    const stream = client.open({ streamtype })
    stream.end(Buffer.alloc(300_000))
    return textOf(stream)
  })
  assert.deepEqual(await Promise.all(texts), ['stdin 300000', 'data 300000', 'error 300000'])
  client.close()
  await client.closed
})

test('a stream that the server destroys ends after what it said; one that the client destroys fails', async () => {
  const seen = [Promise.withResolvers<SpdyStream>(), Promise.withResolvers<SpdyStream>()] as const
  let count = 0
  const { client } = sessions((stream) => seen[count++]!.resolve(stream))
  const ours = client.open({ streamtype: 'error' })
  const theirs = await seen[0].promise
  theirs.write('over', () => theirs.destroy())
  await once(ours, 'readable')
  assert.equal(await textOf(ours), 'over')
  const gone = client.open({ streamtype: 'stdin' })
  const reading = textOf(await seen[1].promise)
  gone.destroy()
  await assert.rejects(reading, /reset the stream/)
  client.destroy()
})

test('a connection that breaks fails its streams and settles the session', async () => {
  const { client, server, sockets } = sessions(() => {})
  const stream = client.open({})
  const failing = assert.rejects(textOf(stream))
  for (const socket of sockets) socket.destroy()
  await failing
  await client.closed
  await server.closed
})
