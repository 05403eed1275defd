// Builds the images that a cluster without a registry starts with: pause, busybox and the example shop, from the
// host's static busybox.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { busyboxLayer, directory, file, PATH, text } from './layers.ts'
import { ociArchive } from './oci-archive.ts'
import type { ImageFile, ImageSpec } from './oci-archive.ts'
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
  for (const [name, spec] of Object.entries(specs)) archives.push(await writeArchive(options.outDir, name, spec))
  scope.log.debug('built images', { count: archives.length, folder: options.outDir })
  return archives
}

/** `DIRECTORY/NAME.tar`; a reader sees the old archive or the new one, never half of it. */
export async function writeArchive(directoryPath: string, name: string, spec: ImageSpec): Promise<ImageArchive> {
  const { bytes, digest } = await ociArchive(spec)
  const path = join(directoryPath, `${name}.tar`)
  await writeFile(`${path}.new`, bytes)
  await rename(`${path}.new`, path)
  return { path, references: spec.references, digest }
}

export type Architecture = ImageSpec['architecture']

export function architectureOf(name: string): Architecture {
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
