// What a person runs beside the conversation, as who the person is: nothing is judged, but there is no shell in between.

import { spawn } from 'node:child_process'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { currentFile, readJsonFile, type CurrentFile } from '../files.ts'
import { wordsOf } from '../mcp/access.ts'
import type { Runner } from '../mcp/command-runner.ts'
import type { CliOptions } from '../options.ts'
import type { ShellParts } from './shell.ts'

export function ownCommands(
  { dataDir, environment }: CliOptions,
  runner: Runner,
): {
  readonly run: ShellParts['run']
  readonly shell: () => Promise<void>
  readonly keepFeedback: ShellParts['keepFeedback']
} {
  return {
    async run(command) {
      const words = wordsOf(command)
      if (words === undefined)
        throw new Error(
          'Only plain words are understood: no pipes, redirections or substitutions. /shell opens a shell.',
        )
      const [program, ...args] = words[0] === 'aksel' || words[0] === './aksel' ? words.slice(1) : words
      switch (program) {
        case 'kubectl':
        case 'helm':
          return (await runner.tool(program, args)).text
        case 'az':
          return (await runner.aksel(['az', ...args])).text
        default:
          throw new Error(`"${program ?? ''}" is none of kubectl, helm, az. /shell opens a shell.`)
      }
    },
    shell: () =>
      new Promise((resolve, reject) => {
        const kubeconfig = readJsonFile<CurrentFile>(currentFile(dataDir))?.kubeconfig
        const child = spawn(environment['SHELL'] ?? '/bin/sh', [], {
          stdio: 'inherit',
          env: { ...environment, ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }) },
        })
        child.once('error', reject)
        child.once('close', () => resolve())
      }),
    async keepFeedback(text) {
      const folder = join(dataDir, 'agent')
      const file = join(folder, 'feedback.jsonl')
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await appendFile(file, `${JSON.stringify({ time: new Date().toISOString(), text })}\n`, { mode: 0o600 })
      return file
    },
  }
}
