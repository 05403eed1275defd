// Layers of images, made from files of this machine: busybox, and programs with the libraries that they load.

import { readFile, realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { run } from '@aksel/host/command'
import type { Scope } from '@aksel/base/scope'
import type { ImageContent, ImageFile } from './oci-archive.ts'

export const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A root file system around a statically linked busybox, every applet a link to it. */
export async function busyboxLayer(scope: Scope, path: string): Promise<readonly ImageFile[]> {
  const binary = await readFile(path)
  const { stdout } = await run(scope, [path, '--list'])
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')
  return [
    ...['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var'].map((name) => directory(name)),
    directory('tmp', 0o1777),
    { path: 'usr/bin/env', content: { kind: 'symlink', target: '/bin/env' } },
    file('bin/busybox', binary, 0o755),
    ...applets.map((name): ImageFile => ({ path: `bin/${name}`, content: { kind: 'symlink', target: 'busybox' } })),
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n'),
    text('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
  ]
}

/** A dynamically linked program at `target` (`usr/bin/node`), with its loader and libraries where it looks for them. */
export async function programLayer(scope: Scope, path: string, target: string): Promise<readonly ImageFile[]> {
  const { stdout } = await run(scope, ['ldd', path])
  const libraries = Array.from(stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g), ([, library]) => library!)
  if (libraries.length === 0) throw new Error(`"${path}" loads no library: it needs no layer of its own`)
  const loaded = libraries.map(async (library): Promise<ImageFile> => {
    const data = await readFile(await realpath(library))
    // The loader is named in the program itself; all others are found in the library folder.
    const place = library.includes('/ld-linux') ? library.replace(/^\//, '') : `usr/lib/${basename(library)}`
    return file(place, data, 0o755)
  })
  const folders = new Set<string>(['lib64', 'usr', 'usr/lib', 'usr/bin'])
  return [
    ...[...folders].map((name) => directory(name)),
    file(target, await readFile(path), 0o755),
    ...(await Promise.all(loaded)),
  ]
}

export function file(path: string, data: Uint8Array, mode: number): ImageFile {
  return { path, content: { kind: 'file', data, mode } satisfies ImageContent }
}

export function text(path: string, content: string): ImageFile {
  return file(path, Buffer.from(content), 0o644)
}

export function directory(path: string, mode = 0o755): ImageFile {
  return { path, content: { kind: 'directory', mode } }
}
