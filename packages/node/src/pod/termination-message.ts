// What a container says about its end: the file it wrote, or the last lines of its log where the pod asks for that.

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { containerLogPath, messagePolicyAnnotation } from './names.ts'
import type { ContainerRun } from './runtime-view.ts'
import { messageFile } from './container-mounts.ts'
import type { PodFolders } from '../volumes/pod-volumes.ts'

const MESSAGE_BYTES_MAX = 4096
const LOG_BYTES_MAX = 2048
const LOG_LINES_MAX = 80

export async function readTerminationMessage(
  run: ContainerRun,
  folders: PodFolders,
  logDirectory: string,
): Promise<string> {
  const file = await tail(messageFile(folders, run.name, run.attempt), MESSAGE_BYTES_MAX)
  if (file !== '') return file
  const wantsLog = run.annotations[messagePolicyAnnotation] === 'FallbackToLogsOnError' && run.exitCode !== 0
  if (!wantsLog) return run.message
  const lines = (await tail(join(logDirectory, containerLogPath(run.name, run.attempt)), LOG_BYTES_MAX * 2)).split('\n')
  // `2026-11-24T12:00:00Z stdout F text`
  const texts = lines.flatMap((line) => /^\S+ std(?:out|err) [FP](?::\S*)? (.*)$/.exec(line)?.[1] ?? [])
  return texts.slice(-LOG_LINES_MAX).join('\n').slice(-LOG_BYTES_MAX)
}

/** The last bytes of a file; empty where there is none. */
async function tail(path: string, bytesMax: number): Promise<string> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return ''
  try {
    const { size } = await file.stat()
    const length = Math.min(size, bytesMax)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString()
  } finally {
    await file.close()
  }
}
