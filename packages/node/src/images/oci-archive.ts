// Writes an image as an OCI archive: the same files give the same bytes, so that a node that has it imports nothing.

import { createHash } from 'node:crypto'
import type { Pack } from 'tar-stream'

export interface ImageFile {
  /** Without a leading slash: `bin/busybox`. */
  readonly path: string
  readonly content: ImageContent
}

export type ImageContent =
  | { readonly kind: 'file'; readonly data: Uint8Array; readonly mode: number }
  | { readonly kind: 'directory'; readonly mode: number; readonly uid?: number }
  | { readonly kind: 'symlink'; readonly target: string }

export interface ImageSpec {
  /** Full names, `docker.io/library/busybox:1.36`; all lead to the one image. */
  readonly references: readonly string[]
  readonly architecture: 'amd64' | 'arm64'
  /** From the lowest to the highest; bytes are a tar archive already. */
  readonly layers: readonly (readonly ImageFile[] | Uint8Array | CompressedLayer)[]
  readonly config: ImageConfig
}

/** A tar archive that is compressed already. */
export interface CompressedLayer {
  readonly gzip: Uint8Array
  /** Of the archive itself, `sha256:…`. */
  readonly diffId: string
}

/** The run-time part of an OCI image configuration. */
export interface ImageConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, object>>
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly WorkingDir?: string
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** Time stands still in images: a build of the same files at another hour is the same image. */
const EPOCH = new Date(0)

/** The bytes of a tar archive in OCI layout that `ctr images import` reads, and the digest of the image's manifest. */
export async function ociArchive(spec: ImageSpec): Promise<{ readonly bytes: Buffer; readonly digest: string }> {
  const blobs = new Map<string, Buffer>()
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const addJson = (mediaType: string, value: object): Descriptor => add(mediaType, Buffer.from(JSON.stringify(value)))

  const layers: Descriptor[] = []
  const diffIds: string[] = []
  for (const layer of spec.layers) {
    if ('gzip' in layer) {
      layers.push(add('application/vnd.oci.image.layer.v1.tar+gzip', Buffer.from(layer.gzip)))
      diffIds.push(layer.diffId)
      continue
    }
    const bytes = layer instanceof Uint8Array ? Buffer.from(layer) : await layerTar(layer)
    const added = add('application/vnd.oci.image.layer.v1.tar', bytes)
    layers.push(added)
    diffIds.push(added.digest)
  }
  const config = addJson('application/vnd.oci.image.config.v1+json', {
    created: EPOCH.toISOString(),
    architecture: spec.architecture,
    os: 'linux',
    config: spec.config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: layers.map(() => ({ created: EPOCH.toISOString(), created_by: 'aksel images' })),
  })
  const manifest = addJson('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers,
  })
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: spec.references.map((reference) => ({
        ...manifest,
        platform: { architecture: spec.architecture, os: 'linux' },
        annotations: {
          'io.containerd.image.name': reference,
          'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
        },
      })),
    }),
  )
  const entries: ImageFile[] = [
    file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
    file('index.json', index),
    { path: 'blobs', content: { kind: 'directory', mode: 0o755 } },
    { path: 'blobs/sha256', content: { kind: 'directory', mode: 0o755 } },
    ...[...blobs].map(([digest, bytes]) => file(`blobs/${digest.replace(':', '/')}`, bytes)),
  ]
  return { bytes: await tar(entries), digest: manifest.digest }
}

function file(path: string, data: Uint8Array): ImageFile {
  return { path, content: { kind: 'file', data, mode: 0o644 } }
}

function layerTar(files: readonly ImageFile[]): Promise<Buffer> {
  return tar(files.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
}

async function tar(files: readonly ImageFile[]): Promise<Buffer> {
  const { pack } = await import('tar-stream')
  const stream = pack()
  const collected = collect(stream)
  for (const { path, content } of files) entry(stream, path, content)
  stream.finalize()
  return collected
}

function entry(stream: Pack, name: string, content: ImageContent): void {
  const common = { name, mtime: EPOCH, uid: 0, gid: 0, uname: 'root', gname: 'root' }
  switch (content.kind) {
    case 'file':
      stream.entry({ ...common, mode: content.mode }, Buffer.from(content.data))
      return
    case 'directory':
      stream.entry({ ...common, type: 'directory', mode: content.mode, uid: content.uid ?? 0, gid: content.uid ?? 0 })
      return
    case 'symlink':
      stream.entry({ ...common, type: 'symlink', linkname: content.target, mode: 0o777 })
      return
    default:
      content satisfies never
  }
}

async function collect(stream: Pack): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces)
}
