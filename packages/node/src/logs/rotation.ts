// Keeps containers' logs from filling the disk: a file that is too large gets a name with its time, the runtime begins a
// new one, older ones are compressed and the oldest go.

import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { NodeSettings } from '../kubelet-config.ts'

export interface RunningLog {
  readonly containerId: string
  readonly path: string
}

export interface RotationWorld {
  /** Of containers that run: nobody writes to the others. */
  logs(): readonly RunningLog[]
  reopen(containerId: string): Promise<void>
}

export async function rotateLogs(scope: Scope, settings: NodeSettings['logs'], world: RotationWorld): Promise<void> {
  const { clock, signal, log } = scope
  while (!signal.aborted) {
    for (const running of world.logs()) {
      await rotateIfLarge(scope, settings, world, running).catch((error: unknown) => {
        if (!signal.aborted) log.warn('a log was not rotated', { error, path: running.path })
      })
    }
    await sleep(clock, settings.periodMs, signal).catch(() => {})
  }
}

export async function rotateIfLarge(
  scope: Scope,
  settings: NodeSettings['logs'],
  world: RotationWorld,
  { containerId, path }: RunningLog,
): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  // A rotation that was cut short between its two steps: the runtime still writes to the renamed file.
  if (found === undefined) return world.reopen(containerId)
  if (found.size < settings.maxBytes) return
  const folder = dirname(path)
  const plan = planRotation(basename(path), await readdir(folder), settings.maxFiles)
  for (const name of plan.remove) await rm(join(folder, name), { force: true })
  for (const name of plan.compress) await compress(join(folder, name))
  const rotated = `${path}.${timestamp(scope.clock.now())}`
  await rename(path, rotated)
  try {
    await world.reopen(containerId)
  } catch (error) {
    // The container goes on where it writes now, and the next pass tries again.
    await rename(rotated, path)
    throw error
  }
}

export interface RotationPlan {
  readonly compress: readonly string[]
  readonly remove: readonly string[]
}

/** What becomes of earlier rotations when one more is made: the file itself and `filesMax - 1` others stay. Pure. */
export function planRotation(name: string, folder: readonly string[], filesMax: number): RotationPlan {
  const own = folder.filter((other) => other.startsWith(`${name}.`))
  const unfinished = own.filter((other) => other.endsWith('.tmp'))
  const whole = own.filter((other) => !other.endsWith('.tmp'))
  // A file and its compressed copy: the copy is whole, for it gets its name last.
  const compressed = new Set(whole.filter((other) => other.endsWith('.gz')))
  const twice = whole.filter((other) => compressed.has(`${other}.gz`))
  const rotations = whole.filter((other) => !twice.includes(other)).toSorted()
  // The coming rotation takes one place and the file another.
  const kept = rotations.slice(Math.max(0, rotations.length - Math.max(0, filesMax - 2)))
  const old = rotations.slice(0, rotations.length - kept.length)
  return {
    compress: kept.filter((other) => !other.endsWith('.gz')),
    remove: [...unfinished, ...twice, ...old],
  }
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary)).catch(async (error: unknown) => {
    // A full disk is what rotation is to prevent: what there was no room for is not left on it.
    await rm(temporary, { force: true })
    throw error
  })
  await rename(temporary, `${path}.gz`)
  await rm(path, { force: true })
}

/** `20261127-080910`: sorts as time does. Two rotations within a second differ by their milliseconds. */
function timestamp(nowMs: number): string {
  const text = new Date(nowMs).toISOString()
  return `${text.slice(0, 10).replaceAll('-', '')}-${text.slice(11, 19).replaceAll(':', '')}.${text.slice(20, 23)}`
}
