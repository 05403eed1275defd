// A shell as people have it: `aksel`, `kubectl` and `helm` on the path, in a folder with the transcripts' manifests.

import assert from 'node:assert/strict'
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryRoot, runProgram, type Aksel } from './aksel.ts'
import { masked, readTranscript, writeTranscript, type Step } from './transcript.ts'

const transcripts = join(import.meta.dirname, 'transcripts')

/** The nth node of a pool, counted from 1: its name holds what no transcript can know. */
const nth = `kubectl get nodes -l "agentpool=$1" -o name | sed -n "$2p" | cut -d/ -f2`

export class Shell {
  readonly #aksel: Aksel
  readonly #folder: string

  private constructor(aksel: Aksel, folder: string) {
    this.#aksel = aksel
    this.#folder = folder
  }

  static async open(aksel: Aksel): Promise<Shell> {
    const folder = join(aksel.dataDir, 'shell')
    await cp(transcripts, folder, { recursive: true })
    await mkdir(join(folder, 'bin'))
    const launcher = `"${join(repositoryRoot, 'aksel')}"`
    const programs = {
      aksel: `exec ${launcher} "$@"`,
      kubectl: `exec ${launcher} kubectl "$@"`,
      helm: `exec ${launcher} helm "$@"`,
      nth,
    }
    for (const [name, script] of Object.entries(programs)) {
      const path = join(folder, 'bin', name)
      await writeFile(path, `#!/bin/sh\n${script}\n`)
      await chmod(path, 0o755)
    }
    return new Shell(aksel, folder)
  }

  /** Everything that a line prints, masked; a last line says with which code it failed. */
  async run(command: string, timeoutMs = 40_000): Promise<string> {
    const environment = {
      AKSEL_DATA: this.#aksel.dataDir,
      HOME: this.#folder,
      PATH: `${join(this.#folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    }
    const script = `cd '${this.#folder}' && { ${command}\n} 2>&1`
    const { code, stdout } = await runProgram(['sh', '-c', script], { environment, timeoutMs })
    return masked(code === 0 ? stdout : `${stdout.trimEnd()}\n[exit ${code}]`)
  }

  /** Every command of a transcript prints what stands there; `UPDATE=1` writes down what it prints now. */
  async replay(story: string, timeoutMs?: number): Promise<void> {
    const path = join(transcripts, `${story}.txt`)
    const steps: Step[] = []
    const expected = await readTranscript(path)
    assert.notEqual(expected.length, 0)
    for (const { command, output } of expected) {
      const printed = await this.run(command, timeoutMs)
      steps.push({ command, output: printed })
      if (process.env['UPDATE'] !== '1') assert.equal(printed, output, `$ ${command}`)
    }
    if (process.env['UPDATE'] === '1') await writeTranscript(path, steps)
  }
}
