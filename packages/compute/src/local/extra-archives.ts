// Image archives that the operator laid into a folder: every machine imports them at its start, so that a cluster
// without a registry runs images of its own.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface Archive {
  readonly path: string
  /** Of the file, `sha256:…`: a machine imports an archive once. */
  readonly digest: string
}

/** Every `*.tar` of the folder, by name; none where there is no such folder. */
export async function extraArchives(folder: string): Promise<readonly Archive[]> {
  const names = await namesIn(folder)
  const archives: Archive[] = []
  for (const name of names.filter((each) => each.endsWith('.tar')).sort()) {
    const path = join(folder, name)
    archives.push({ path, digest: `sha256:${await digestOf(path)}` })
  }
  return archives
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
