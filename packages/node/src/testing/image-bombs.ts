// Images that are small to pull and large to unpack: much more than a small disk holds, or more files, or deeper paths than any has.

import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack, type Header, type Pack } from 'tar-stream'
import { architectureOf } from '../images/builder.ts'
import { ociArchive, type CompressedLayer } from '../images/oci-archive.ts'

export interface ImageBomb {
  readonly name: string
  /** Writes the layer's archive. */
  readonly layer: (archive: Pack) => void
  /** What the node says why it does not take it. */
  readonly refusal: RegExp
}

const MI = 2 ** 20
const ZEROS = Buffer.alloc(50 * MI)

/** For a disk of 300 MiB with 9,600 inodes. */
export const imageBombs: readonly ImageBomb[] = [
  {
    name: 'zeros',
    layer: (archive) => {
      for (let index = 0; index < 14; index += 1) put(archive, { name: `zeros-${index}` }, ZEROS)
    },
    refusal: /no space left on device/,
  },
  {
    // A file that says to be a tebibyte of holes, of which a reader makes zeros.
    name: 'holes',
    layer: (archive) => {
      const map = Buffer.alloc(512)
      map.write(`1\n${2 ** 40 - 512}\n512\n`)
      const pax = {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'holes',
        'GNU.sparse.realsize': String(2 ** 40),
      }
      put(archive, { name: 'GNUSparseFile.0/holes', pax }, Buffer.concat([map, Buffer.alloc(512, 1)]))
    },
    refusal: /no space left on device/,
  },
  {
    name: 'files',
    layer: (archive) => {
      for (let index = 0; index < 20_000; index += 1) put(archive, { name: `f/${index}` })
    },
    refusal: /no space left on device/,
  },
  {
    name: 'depth',
    layer: (archive) => put(archive, { name: `${'d/'.repeat(3000)}end` }),
    refusal: /file name too long/,
  },
]

type Entry = Partial<Header> & { readonly name: string }

function put(archive: Pack, header: Entry, data: Buffer = Buffer.alloc(0)): void {
  archive.entry({ mode: 0o644, mtime: new Date(0), uid: 0, gid: 0, ...header }, data)
}

/** The bytes of an archive for `ctr images import --no-unpack`. */
export async function bombArchive(reference: string, { layer }: ImageBomb): Promise<Buffer> {
  const { bytes } = await ociArchive({
    references: [reference],
    architecture: architectureOf(process.arch),
    layers: [await compressed(layer)],
    config: { Cmd: ['/none'] },
  })
  return bytes
}

/** Never whole in memory before it is compressed. */
async function compressed(layer: ImageBomb['layer']): Promise<CompressedLayer> {
  const archive = pack()
  const hash = createHash('sha256')
  const pieces: Buffer[] = []
  const hashed = async function* (): AsyncIterable<Uint8Array> {
    for await (const piece of archive) {
      hash.update(piece as Uint8Array)
      yield piece as Uint8Array
    }
  }
  const compressing = pipeline(hashed, createGzip({ level: 1 }), async (source: AsyncIterable<Buffer>) => {
    for await (const piece of source) pieces.push(piece)
  })
  layer(archive)
  archive.finalize()
  await compressing
  return { gzip: Buffer.concat(pieces), diffId: `sha256:${hash.digest('hex')}` }
}
