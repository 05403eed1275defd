// The files by which the server and the command line know of each other. All of them lie below the data folder.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Written by the server before anything else; `ready` comes when the front door answers. */
export interface ServerFile {
  readonly pid: number
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: string
  readonly ready: boolean
  readonly simulated: boolean
  readonly store: string
  readonly version: string
  readonly startedAt: string
}

/** How a client reaches the front door. */
export interface ConnectionFile {
  readonly armUrl: string
  readonly caPath: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
}

/** The cluster that `./aksel kubectl` speaks to. */
export interface CurrentFile {
  readonly resourceGroup: string
  readonly cluster: string
  readonly kubeconfig: string
}

export const serverFile = (dataDir: string): string => join(dataDir, 'server', 'server.json')
export const connectionFile = (dataDir: string): string => join(dataDir, 'server', 'connection.json')
export const currentFile = (dataDir: string): string => join(dataDir, 'current.json')
export const serverLog = (dataDir: string): string => join(dataDir, 'server', 'log.jsonl')

/** The parsed file, or undefined where there is none. */
export function readJsonFile<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`Cannot read "${path}": ${(error as Error).message}`, { cause: error })
  }
}

/** When the process started, in clock ticks since boot; undefined where it no longer runs. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** The server's file, when that very process still runs. */
export function runningServer(dataDir: string): ServerFile | undefined {
  const file = readJsonFile<ServerFile>(serverFile(dataDir))
  return file !== undefined && startTicksOf(file.pid) === file.startTicks ? file : undefined
}
