// Watches the folder of static pods' manifests and tells all that stand in it, whenever one changed.

import { watch } from 'node:fs'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { formatTime, sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { parseManifest } from './manifest.ts'

export interface ManifestFolder {
  readonly path: string
  readonly nodeName: string
  /** The folder is read again after this time even where the kernel told of no change. */
  readonly periodMs: number
}

/** How long a file may be half written. */
const SETTLE_MS = 50

/** Calls `onPods` once before it resolves for the first time, then on every change until the scope aborts. */
export async function followManifests(
  scope: Scope,
  folder: ManifestFolder,
  onPods: (pods: readonly Pod[]) => void,
): Promise<{ readonly ended: Promise<void> }> {
  await mkdir(folder.path, { recursive: true })
  const known = new Map<string, Pod>()
  await readAll(scope, folder, known)
  onPods([...known.values()])
  return { ended: follow(scope, folder, known, onPods) }
}

async function follow(
  scope: Scope,
  folder: ManifestFolder,
  known: Map<string, Pod>,
  onPods: (pods: readonly Pod[]) => void,
): Promise<void> {
  const { clock, signal } = scope
  let changed = new AbortController()
  const watcher = watch(folder.path, () => changed.abort())
  watcher.on('error', () => changed.abort())
  try {
    while (!signal.aborted) {
      await sleep(clock, folder.periodMs, anySignal([signal, changed.signal])).catch(() => {})
      if (changed.signal.aborted) await sleep(clock, SETTLE_MS, signal).catch(() => {})
      changed = new AbortController()
      if (signal.aborted) return
      if (await readAll(scope, folder, known)) onPods([...known.values()])
    }
  } finally {
    watcher.close()
  }
}

/** By file; a file that cannot be read keeps the pod that it was. True where anything changed. */
async function readAll(scope: Scope, { path, nodeName }: ManifestFolder, known: Map<string, Pod>): Promise<boolean> {
  const names = (await readdir(path)).filter((name) => !name.startsWith('.'))
  let changed = false
  for (const name of known.keys()) {
    if (names.includes(name)) continue
    known.delete(name)
    changed = true
  }
  for (const name of names) {
    const file = join(path, name)
    try {
      if (!(await stat(file)).isFile()) continue
      const text = await readFile(file, 'utf8')
      const pod = parseManifest({ path: file, text, nodeName, seenAt: formatTime(scope.clock.now()) })
      if (known.get(name)?.metadata.uid === pod.metadata.uid) continue
      known.set(name, pod)
      changed = true
    } catch (error) {
      scope.log.warn('a manifest was not read', { error, path: file })
    }
  }
  return changed
}
