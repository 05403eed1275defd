// Network plug-ins that a cluster's user brings: containerd starts them as programs of the host, where several machines are. A wrapper
// of each lies where containerd looks, and lets its plug-in see the machine's folders at the places that it knows a node by.

import { watch } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { networkPluginFolders, PLUGIN_PROGRAMS } from '@aksel/provider/network-plugin-folders'

export interface NetworkPluginsOptions {
  /** The agent's own: the machine's folders lie below it. */
  readonly rootDirectory: string
  /** Where containerd looks for programs. */
  readonly wrappersDirectory: string
}

const RETRY_MS = 5_000

/** Until the scope's signal: a wrapper for each program, as soon as it is there, and none for those that went. */
export async function keepNetworkPlugins(scope: Scope, options: NetworkPluginsOptions): Promise<void> {
  const programs = join(options.rootDirectory, PLUGIN_PROGRAMS)
  while (!scope.signal.aborted) {
    try {
      await mkdir(programs, { recursive: true })
      await follow(scope, options, programs)
    } catch (error) {
      if (scope.signal.aborted) return
      scope.log.error('network plug-ins are not followed', { error })
      await sleep(scope.clock, RETRY_MS, scope.signal).catch(() => {})
    }
  }
}

async function follow(scope: Scope, options: NetworkPluginsOptions, programs: string): Promise<void> {
  let changed = Promise.withResolvers<void>()
  const watcher = watch(programs, { signal: scope.signal }, () => changed.resolve())
  const failed = new Promise<never>((_, reject) => watcher.once('error', reject))
  const ended = new Promise<void>((resolve) => scope.signal.addEventListener('abort', () => resolve()))
  failed.catch(() => {})
  try {
    while (!scope.signal.aborted) {
      // Watched before it is read: a change in between wakes the next round.
      changed = Promise.withResolvers()
      await wrap(options, programs)
      await Promise.race([changed.promise, failed, ended])
    }
  } finally {
    watcher.close()
  }
}

async function wrap({ rootDirectory, wrappersDirectory }: NetworkPluginsOptions, programs: string): Promise<void> {
  await mkdir(wrappersDirectory, { recursive: true })
  const [present, wrapped] = await Promise.all([readdir(programs), readdir(wrappersDirectory)])
  for (const name of wrapped) if (!present.includes(name)) await rm(join(wrappersDirectory, name))
  for (const name of present) {
    if (!wrapped.includes(name))
      await writeFile(join(wrappersDirectory, name), wrapperOf(rootDirectory, name), { mode: 0o755 })
  }
}

/** A shell script: what it mounts it alone sees, and it ends as its plug-in does. */
export function wrapperOf(rootDirectory: string, name: string): string {
  const mounts = Object.entries(networkPluginFolders).map(
    ([place, folder]) => `mount --bind ${quote(join(rootDirectory, folder))} ${place}`,
  )
  const script = [...mounts, 'exec "$0" "$@"'].join(' && ')
  return [
    '#!/bin/sh',
    `exec unshare --mount --propagation slave /bin/sh -c ${quote(script)} ${quote(`/opt/cni/bin/${name}`)} "$@"`,
    '',
  ].join('\n')
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}
