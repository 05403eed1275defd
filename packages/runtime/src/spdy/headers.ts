// SPDY/3.1 header blocks: name/value pairs in one zlib stream per direction, primed with the protocol's dictionary.

import { constants, createInflate } from 'node:zlib'
import type { Inflate } from 'node:zlib'

export type SpdyHeaders = Readonly<Record<string, string>>

/** Reads the peer's blocks, which continue one zlib stream; to be fed in order, one at a time. */
export class HeaderDecoder {
  readonly #inflate: Inflate

  constructor() {
    // A block is taken whole before it is read; the stream must not wait for a reader in between.
    const options = {
      dictionary: spdyDictionary(),
      finishFlush: constants.Z_SYNC_FLUSH,
      highWaterMark: BLOCK_BYTES_MAX,
    }
    this.#inflate = createInflate(options)
  }

  async decode(block: Buffer): Promise<SpdyHeaders> {
    await new Promise<void>((resolve, reject) => {
      this.#inflate.once('error', reject)
      this.#inflate.write(block, () => {
        this.#inflate.off('error', reject)
        resolve()
      })
    })
    const parts: Buffer[] = []
    for (
      let part = this.#inflate.read() as Buffer | null;
      part !== null;
      part = this.#inflate.read() as Buffer | null
    ) {
      parts.push(part)
    }
    return parsePairs(Buffer.concat(parts))
  }

  close(): void {
    this.#inflate.close()
  }
}

/** Writes blocks as stored, uncompressed parts of one zlib stream: valid for every reader, and without a state to keep in order. */
export class HeaderEncoder {
  #isFirst = true

  encode(headers: SpdyHeaders): Buffer {
    const parts: Buffer[] = []
    if (this.#isFirst) parts.push(Buffer.of(0x78, 0x01))
    this.#isFirst = false
    const pairs = formatPairs(headers)
    for (let start = 0; start < pairs.length; start += STORED_BYTES_MAX) {
      const part = pairs.subarray(start, start + STORED_BYTES_MAX)
      // RFC 1951, 3.2.4: a byte that says "stored, not the last", the length, and its complement.
      const head = Buffer.alloc(5)
      head.writeUInt16LE(part.length, 1)
      head.writeUInt16LE(part.length ^ 0xffff, 3)
      parts.push(head, part)
    }
    // An empty part, as a sync flush ends: Go's reader hands out what came before only when it meets this.
    parts.push(Buffer.of(0, 0, 0, 0xff, 0xff))
    return Buffer.concat(parts)
  }
}

const STORED_BYTES_MAX = 0xffff
const BLOCK_BYTES_MAX = 1024 * 1024

function parsePairs(bytes: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {}
  let at = 4
  const text = (): string => {
    const length = bytes.readUInt32BE(at)
    if (at + 4 + length > bytes.length) throw new Error('A SPDY header block ends within a value')
    at += 4 + length
    return bytes.toString('utf8', at - length, at)
  }
  for (let left = bytes.readUInt32BE(0); left > 0; left -= 1) {
    const name = text().toLowerCase()
    headers[name] = text()
  }
  return headers
}

function formatPairs(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers)
  return Buffer.concat([
    uint32(entries.length),
    ...entries.flat().flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]),
  ])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** SPDY/3, section 2.6.10.1: words with their lengths before them, then text. Its Adler-32 is e3c6a7c2. */
export function spdyDictionary(): Buffer {
  const prefixed = words.split(' ').flatMap((word) => [uint32(word.length), Buffer.from(word)])
  const status = [
    ...prefixed,
    uint32(6),
    Buffer.from('200 OK'),
    ...sized('version', 'HTTP/1.1', 'url', 'public', 'set-cookie'),
  ]
  return Buffer.concat([...status, ...sized('keep-alive', 'origin'), Buffer.from(text)])
}

function sized(...values: readonly string[]): readonly Buffer[] {
  return values.flatMap((value) => [uint32(value.length), Buffer.from(value)])
}

const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
  'authorization cache-control connection content-base content-encoding content-language content-length ' +
  'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
  'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
  'user-agent vary via warning www-authenticate method get status'

const text =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized' +
  '403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable' +
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'
