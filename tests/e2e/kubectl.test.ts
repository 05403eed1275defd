// kubectl and Helm against a simulated cluster: command by command what people see, as upstream's servers would have it.

import assert from 'node:assert/strict'
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { Aksel, repositoryRoot, runProgram } from './aksel.ts'
import { masked, readTranscript, writeTranscript, type Step } from './transcript.ts'

const transcripts = join(import.meta.dirname, 'transcripts')
const stories = ['kubectl', 'apply', 'helm', 'helm-chart', 'workloads', 'kinds', 'custom', 'explain'] as const

void suite('transcripts on a simulated cluster', () => {
  let aksel: Aksel
  let folder: string

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--simulated', '--nodes', '2'])
    folder = join(aksel.dataDir, 'shell')
    await cp(transcripts, folder, { recursive: true })
    await mkdir(join(folder, 'bin'))
    for (const tool of ['kubectl', 'helm']) {
      const path = join(folder, 'bin', tool)
      await writeFile(path, `#!/bin/sh\nexec "${join(repositoryRoot, 'aksel')}" ${tool} "$@"\n`)
      await chmod(path, 0o755)
    }
  })
  after(async () => {
    await aksel[Symbol.asyncDispose]()
  })

  async function run(command: string): Promise<string> {
    const environment = {
      AKSEL_DATA: aksel.dataDir,
      HOME: folder,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    }
    const script = `cd '${folder}' && { ${command}\n} 2>&1`
    const { code, stdout } = await runProgram(['sh', '-c', script], { environment, timeoutMs: 40_000 })
    return masked(code === 0 ? stdout : `${stdout.trimEnd()}\n[exit ${code}]`)
  }

  for (const story of stories) {
    void test(`${story} prints what its transcript says`, { timeout: 120_000 }, async () => {
      const path = join(transcripts, `${story}.txt`)
      const steps: Step[] = []
      const expected = await readTranscript(path)
      assert.notEqual(expected.length, 0)
      for (const { command, output } of expected) {
        const printed = await run(command)
        steps.push({ command, output: printed })
        if (process.env['UPDATE'] !== '1') assert.equal(printed, output, `$ ${command}`)
      }
      if (process.env['UPDATE'] === '1') await writeTranscript(path, steps)
    })
  }
})
