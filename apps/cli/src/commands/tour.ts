// `aksel tour`: what the product does, chapter by chapter, in a data folder of its own.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'
import { chapters } from '../tour/chapters.ts'
import { runTour, type Outcome, type StepResult } from '../tour/run-tour.ts'
import type { Chapter } from '../tour/step.ts'

export interface TourFlags {
  readonly chapter?: string
  readonly list?: boolean
  readonly pause: boolean
  readonly keep?: boolean
  readonly simulated?: boolean
  readonly output?: string
}

/** Returns the exit code: 1 where a step did not show what it should. */
export async function runTourCommand(options: CliOptions, flags: TourFlags): Promise<number> {
  const json = flags.output === 'json'
  if (flags.list === true) {
    const lines = chapters.map(({ name, title }) => `${name.padEnd(12)}${title}\n`).join('')
    process.stdout.write(
      json
        ? `${JSON.stringify(chapters.map(({ name, title, steps }) => ({ name, title, steps: steps.length })))}\n`
        : lines,
    )
    return 0
  }
  const chosen = chosenChapters(flags.chapter)
  const simulated = flags.simulated === true || !options.isRoot
  // Beside whatever runs here already.
  const dataDir = `${options.dataDir}-tour`
  const print = (text: string): void => void (json ? process.stderr : process.stdout).write(text)
  const run = (args: readonly string[], input?: string): Promise<Outcome> => runAksel(options, dataDir, args, input)
  print(`The tour runs in ${dataDir}${simulated ? ', with simulated nodes' : ''}.\n`)
  let results: readonly StepResult[] = []
  try {
    const up = [
      'up',
      '--nodes',
      '2',
      ...(simulated ? ['--simulated'] : ['--network-policy', 'calico', '--enable-acns']),
    ]
    print(`\n  $ ./aksel ${up.join(' ')}\n`)
    const started = await run(up)
    if (started.code !== 0) throw new CommandError(`The cluster did not start:\n${started.output}`)
    results = await runTour(chosen, { simulated, run, print, pause: pauses(flags) })
  } finally {
    if (flags.keep === true) print(`\nIt is kept: AKSEL_DATA=${dataDir} ./aksel down --purge ends it.\n`)
    else {
      print('\n  $ ./aksel down --purge\n')
      await run(['down', '--purge'])
    }
  }
  if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
  const failed = results.some(({ result }) => result === 'failed')
  const count = (wanted: StepResult['result']): number => results.filter(({ result }) => result === wanted).length
  print(`\n${count('shown')} steps shown, ${count('passed over')} passed over${failed ? ', one failed' : ''}.\n`)
  return failed ? 1 : 0
}

function chosenChapters(name: string | undefined): readonly Chapter[] {
  if (name === undefined) return chapters
  const chosen = chapters.filter((chapter) => chapter.name === name)
  if (chosen.length === 0)
    throw new CommandError(
      `There is no chapter "${name}"; there are: ${chapters.map((each) => each.name).join(', ')}.`,
      2,
    )
  return chosen
}

/** Enter goes on, where somebody is there to press it. */
function pauses({ pause, output }: TourFlags): () => Promise<void> {
  if (!pause || output === 'json' || !process.stdin.isTTY) return () => Promise.resolve()
  return async () => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    await lines.question('  [Enter] ')
    lines.close()
  }
}

function runAksel(
  options: CliOptions,
  dataDir: string,
  args: readonly string[],
  input: string | undefined,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(options.repositoryRoot, 'aksel'), [...args], {
      env: { ...options.environment, AKSEL_DATA: dataDir },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const pieces: Buffer[] = []
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
    child.stderr.on('data', (piece: Buffer) => pieces.push(piece))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(pieces).toString() }))
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}
