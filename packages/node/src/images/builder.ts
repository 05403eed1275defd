// Builds the images that a cluster without a registry starts with: pause, busybox and the example shop, from the
// host's static busybox.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '@aksel/host/command'
import type { Scope } from '@aksel/base/scope'
import { ociArchive } from './oci-archive.ts'
import type { ImageContent, ImageFile, ImageSpec } from './oci-archive.ts'
import { pauseElf } from './pause-elf.ts'

export interface ImageArchive {
  /** `pause.tar`, in the folder that was asked for. */
  readonly path: string
  /** The names under which a node knows the image after the import. */
  readonly references: readonly string[]
  /** Of the image's manifest, `sha256:…`: equal digests mean that there is nothing to import. */
  readonly digest: string
}

/** The name under which containerd is told to look for the pause image. */
export const pauseReference = 'mcr.microsoft.com/oss/kubernetes/pause:3.6'

/**
 * Writes one OCI archive per image to `outDir` and names them, pause first. The same busybox gives the same bytes.
 * `busyboxPath` must be a statically linked busybox of this machine's architecture.
 */
export async function buildImages(
  scope: Scope,
  options: { readonly outDir: string; readonly busyboxPath: string },
): Promise<readonly ImageArchive[]> {
  const architecture = architectureOf(process.arch)
  const busybox = await busyboxLayer(scope, options.busyboxPath)
  await mkdir(options.outDir, { recursive: true })
  const specs: Readonly<Record<string, ImageSpec>> = {
    pause: pauseImage(architecture),
    busybox: {
      references: ['docker.io/library/busybox:1.36', 'docker.io/library/busybox:latest'],
      architecture,
      layers: [busybox],
      config: { Env: [PATH], Cmd: ['sh'] },
    },
    'shop-front': await shopImage(architecture, busybox, 'front', ['index.cgi']),
    'shop-api': await shopImage(architecture, busybox, 'api', ['orders']),
    'shop-store': await shopImage(architecture, busybox, 'store', ['orders'], ['prepare.sh']),
  }
  const archives: ImageArchive[] = []
  for (const [name, spec] of Object.entries(specs)) {
    const { bytes, digest } = await ociArchive(spec)
    const path = join(options.outDir, `${name}.tar`)
    // A reader sees the old archive or the new one, never half of it.
    await writeFile(`${path}.new`, bytes)
    await rename(`${path}.new`, path)
    archives.push({ path, references: spec.references, digest })
  }
  scope.log.debug('built images', { count: archives.length, folder: options.outDir })
  return archives
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type Architecture = ImageSpec['architecture']

function architectureOf(name: string): Architecture {
  if (name === 'x64') return 'amd64'
  if (name === 'arm64') return 'arm64'
  throw new Error(`Cannot build images for architecture "${name}": x64 and arm64 are supported`)
}

function pauseImage(architecture: Architecture): ImageSpec {
  return {
    references: [pauseReference, 'registry.k8s.io/pause:3.6'],
    architecture,
    layers: [[file('pause', pauseElf(architecture), 0o755)]],
    config: { User: '65535:65535', Env: [PATH], Entrypoint: ['/pause'], WorkingDir: '/' },
  }
}

async function busyboxLayer(scope: Scope, path: string): Promise<readonly ImageFile[]> {
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

/** The shop's images differ in their scripts alone; they run as an ordinary user. */
async function shopImage(
  architecture: Architecture,
  busybox: readonly ImageFile[],
  part: 'front' | 'api' | 'store',
  pages: readonly string[],
  scripts: readonly string[] = [],
): Promise<ImageSpec> {
  const source = (name: string): Promise<Buffer> => readFile(new URL(`./shop/${name}`, import.meta.url))
  const layer = [
    ...['srv', 'www', 'www/cgi-bin'].map((name) => directory(name)),
    text('www/healthz', 'ok\n'),
    file('srv/serve.sh', await source('serve.sh'), 0o755),
  ]
  for (const name of pages) layer.push(file(`www/cgi-bin/${name}`, await source(`${part}/${name}`), 0o755))
  for (const name of scripts) layer.push(file(`srv/${name}`, await source(`${part}/${name}`), 0o755))
  return {
    references: [`docker.io/aksel/shop-${part}:1.0`],
    architecture,
    layers: [busybox, layer],
    config: { User: '1000:1000', Env: [PATH], Entrypoint: ['/srv/serve.sh'], ExposedPorts: { '8080/tcp': {} } },
  }
}

function file(path: string, data: Uint8Array, mode: number): ImageFile {
  return { path, content: { kind: 'file', data, mode } satisfies ImageContent }
}

function text(path: string, content: string): ImageFile {
  return file(path, Buffer.from(content), 0o644)
}

function directory(path: string, mode = 0o755): ImageFile {
  return { path, content: { kind: 'directory', mode } }
}
