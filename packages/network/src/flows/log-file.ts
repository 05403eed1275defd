// The node's flow log on disk: JSON lines, a file of at most 50 MB, and a few before it.

import { appendFile, mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Flow } from './hubble.ts'

export interface LogFileOptions {
  /** `…/acns/hubble/events.log`. */
  readonly path: string
  readonly maxBytes?: number
  /** Files that are kept besides the one that is written. */
  readonly backups?: number
}

const MAX_BYTES = 50_000_000
const BACKUPS = 5

/** Lines as Hubble's exporter writes them. One call at a time. */
export class FlowLogFile {
  readonly #options: Required<LogFileOptions>
  #bytes: number | undefined

  constructor({ path, maxBytes = MAX_BYTES, backups = BACKUPS }: LogFileOptions) {
    this.#options = { path, maxBytes, backups }
  }

  async write(flows: readonly Flow[]): Promise<void> {
    if (flows.length === 0) return
    const { path, maxBytes } = this.#options
    if (this.#bytes === undefined) {
      await mkdir(dirname(path), { recursive: true })
      this.#bytes = await stat(path).then(
        ({ size }) => size,
        () => 0,
      )
    }
    const lines = flows
      .map((flow) => `${JSON.stringify({ flow, node_name: flow.node_name, time: flow.time })}\n`)
      .join('')
    const bytes = Buffer.byteLength(lines)
    if (this.#bytes > 0 && this.#bytes + bytes > maxBytes) await this.#rotate()
    await appendFile(path, lines)
    this.#bytes += bytes
  }

  async #rotate(): Promise<void> {
    const { path, backups } = this.#options
    for (let number = backups - 1; number >= 0; number -= 1) {
      const from = number === 0 ? path : `${path}.${number}`
      await rename(from, `${path}.${number + 1}`).catch(unlessAbsent)
    }
    this.#bytes = 0
  }
}

function unlessAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
