// Which container has which devices, on disk: an agent that restarts hands no device out twice.

import { readFile } from 'node:fs/promises'
import { writeDurableFile } from '@aksel/host/durable-file'
import type { DeviceGrant } from './device-proto.ts'

export interface Allocation {
  readonly podUid: string
  readonly container: string
  readonly resource: string
  readonly deviceIds: readonly string[]
  readonly grant: DeviceGrant
}

export interface DeviceCheckpoint {
  readonly allocations: readonly Allocation[]
  /** Resources that had a plug-in: they are the node's although their plug-in has not come back yet. */
  readonly resources: readonly string[]
}

export async function readCheckpoint(path: string): Promise<DeviceCheckpoint> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as DeviceCheckpoint
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { allocations: [], resources: [] }
    throw error
  }
}

export function writeCheckpoint(path: string, checkpoint: DeviceCheckpoint): Promise<void> {
  return writeDurableFile(path, `${JSON.stringify(checkpoint)}\n`, 0o600)
}
