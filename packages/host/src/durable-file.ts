// Small files that are whole or not there: written beside and renamed; synced where they must outlive a power cut. A full disk
// leaves what was there before, and nothing beside it.

import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function writeDurableFile(path: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const partial = `${path}.new`
  try {
    await writeSynced(partial, text, mode)
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'w', mode)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** For what a power cut may take: the process that wrote it, and all that it stands for, go with it. */
export async function writeWholeFile(path: string, text: string, mode = 0o600): Promise<void> {
  const partial = `${path}.new`
  try {
    await writeFile(partial, text, { mode })
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** With what a writer that was killed left beside it. */
export async function removeWholeFile(path: string): Promise<void> {
  await rm(`${path}.new`, { force: true })
  await rm(path, { force: true })
}

/** Undefined where there is no file. */
export async function ignoreMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The parsed JSON, or undefined where there is no file. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A state that much changes and one file keeps: written once at a time, each time as it is when its turn comes. */
export class StateFile {
  readonly #path: string
  #last: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  write(text: () => string): Promise<void> {
    const turn = this.#last.then(() => writeDurableFile(this.#path, text()))
    this.#last = turn.catch(() => {})
    return turn
  }
}
