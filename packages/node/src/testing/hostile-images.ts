// Images that nobody should run: archives whose entries lead out of the image, name devices, or lie about what they hold.

import type { Header } from 'tar-stream'
import { busyboxLayer, PATH } from '../images/layers.ts'
import { architectureOf } from '../images/builder.ts'
import { ociArchive } from '../images/oci-archive.ts'
import type { ImageFile } from '../images/oci-archive.ts'
import { testScope } from './test-scope.ts'

export type HostileEntry = Partial<Header> & { readonly name: string; readonly data?: string }

export interface HostileImage {
  readonly name: string
  /** From the lowest to the highest, above a layer of busybox. */
  readonly layers: readonly (readonly HostileEntry[])[]
  /** What a container of it tries to read. */
  readonly reads: readonly string[]
}

/** `outside` is a folder of the host with a file `secret` and a file `victim`. */
export function hostileImages(outside: string): readonly HostileImage[] {
  const up = '../'.repeat(40)
  const relative = outside.slice(1)
  const link = (name: string, linkname: string): HostileEntry => ({ name, type: 'symlink', linkname })
  const hard = (name: string, linkname: string): HostileEntry => ({ name, type: 'link', linkname })
  const folder = (name: string): HostileEntry => ({ name, type: 'directory', mode: 0o755 })
  const file = (name: string): HostileEntry => ({ name, data: 'pwned' })
  const device = (name: string, devmajor: number, devminor: number): HostileEntry => ({
    name,
    type: 'block-device',
    devmajor,
    devminor,
    mode: 0o666,
  })
  const one = (name: string, entries: readonly HostileEntry[], ...reads: readonly string[]): HostileImage => ({
    name,
    layers: [entries],
    reads,
  })
  const two = (name: string, lower: HostileEntry[], upper: HostileEntry[], ...reads: string[]): HostileImage => ({
    name,
    layers: [lower, upper],
    reads,
  })
  return [
    one('through-a-link', [link('out', outside), file('out/new')], '/out/secret', '/out/new'),
    one('through-a-relative-link', [link('out', up + relative), file('out/new')], '/out/secret'),
    one('through-two-links', [link('a', '..'), link('b', `a/${up}${relative}`), file('b/new')], '/b/secret'),
    one('by-dots', [file(`${up}${relative}/new`)], `${outside}/secret`),
    one('by-an-absolute-path', [file(`${outside}/victim`)], `${outside}/secret`),
    one('by-a-hard-link', [hard('stolen', `${outside}/secret`)], '/stolen'),
    one('by-a-hard-link-up', [hard('stolen', `${up}${relative}/secret`)], '/stolen'),
    one('by-a-hard-link-through-a-link', [link('out', outside), hard('stolen', 'out/secret')], '/stolen'),
    two('a-layer-through-a-link', [link('out', outside)], [file('out/new'), file('out/victim')], '/out/secret'),
    two(
      'a-link-in-place-of-a-folder',
      [folder('out'), file('out/x')],
      [link('out', outside), file('out/new')],
      '/out/secret',
    ),
    two('whiteout-through-a-link', [link('out', outside)], [{ name: 'out/.wh.victim' }], '/out/secret'),
    two('opaque-through-a-link', [link('out', outside)], [{ name: 'out/.wh..wh..opq' }], '/out/secret'),
    two('whiteout-of-the-parent', [file('x')], [{ name: '.wh...' }, { name: '.wh..' }], `${outside}/secret`),
    two('whiteout-by-dots', [file('x')], [{ name: `${up}${relative}/.wh.victim` }], `${outside}/secret`),
    one(
      'links-where-the-node-mounts',
      [
        link('etc/hosts', `${outside}/victim`),
        link('etc/resolv.conf', up + `${relative}/victim`),
        link('var/run', outside),
      ],
      '/var/run/secret',
      '/etc/hosts',
    ),
    one('a-link-in-place-of-dev', [link('dev', outside)], '/dev/secret', '/dev/victim'),
    two('a-link-in-place-of-dev-above', [folder('dev')], [link('dev', up + relative)], '/dev/secret'),
    one('links-in-place-of-proc', [link('proc', outside), link('sys', outside)], '/proc/secret', '/sys/secret'),
    one(
      'users-from-outside',
      [link('etc/passwd', up + `${relative}/secret`), link('etc/group', `${outside}/secret`)],
      '/etc/passwd',
    ),
    one('a-disk-of-the-host', [device('disk', 254, 0), device('loop', 7, 0)], '/disk', '/loop'),
    one('a-path-without-end', [file(`${'d/'.repeat(500)}new`)], '/d'),
    one('a-name-twice', [file('x'), link('x', outside), file('x/new')], '/x/secret'),
  ]
}

/** The bytes of an archive for `ctr images import`; `damage` changes what the digests stand for. */
export async function hostileArchive(
  { name, layers }: HostileImage,
  damage: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<Buffer> {
  const above: Buffer[] = []
  for (const entries of layers) above.push(await tar(entries))
  const made = await ociArchive({
    references: [referenceOf(name)],
    architecture: architectureOf(process.arch),
    layers: [await busybox(), ...above],
    config: { Env: [PATH], Cmd: ['sh'] },
  })
  return damage(made.bytes)
}

export function referenceOf(name: string): string {
  return `registry.example/hostile/${name}:1`
}

/** Only the programs that the tests call: entries of the layers above take the place of the rest. */
async function busybox(): Promise<readonly ImageFile[]> {
  using scope = testScope()
  const wanted = new Set(['bin', 'bin/busybox', 'bin/sh', 'bin/cat', 'bin/head', 'bin/ls'])
  return (await busyboxLayer(scope, '/bin/busybox')).filter(({ path }) => wanted.has(path))
}

async function tar(entries: readonly HostileEntry[]): Promise<Buffer> {
  const { pack } = await import('tar-stream')
  const stream = pack()
  const pieces: Uint8Array[] = []
  const collected = (async () => {
    for await (const piece of stream) pieces.push(piece as Uint8Array)
  })()
  for (const { data, ...header } of entries) {
    const all = { mode: 0o644, mtime: new Date(0), uid: 0, gid: 0, ...header }
    if (header.type === undefined) stream.entry(all, data ?? '')
    else stream.entry(all)
  }
  stream.finalize()
  await collected
  return Buffer.concat(pieces)
}
