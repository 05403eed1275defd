// Takes the steps one after the other: says, shows, runs, checks. What runs and what is printed are handed in.

import { setTimeout as wait } from 'node:timers/promises'
import { wordsOfStep, type Chapter, type Step } from './step.ts'

export interface TourSettings {
  /** No containers run: steps that need them are told and passed over. */
  readonly simulated: boolean
  /** Runs `aksel` with these words. */
  run(args: readonly string[], input: string | undefined): Promise<Outcome>
  print(text: string): void
  /** Resolves when the reader wants to go on. */
  pause(): Promise<void>
}

export interface Outcome {
  readonly code: number
  readonly output: string
}

export interface StepResult {
  readonly chapter: string
  readonly command: string
  readonly result: 'shown' | 'failed' | 'passed over'
}

const ASK_EVERY_MS = 1_000
const LINES_MAX = 30

/** The first step that fails ends the tour: those after it stand on it. */
export async function runTour(chapters: readonly Chapter[], settings: TourSettings): Promise<readonly StepResult[]> {
  const results: StepResult[] = []
  for (const { name, title, say, steps } of chapters) {
    settings.print(`\n# ${title}\n\n${say}\n`)
    for (const step of steps) {
      const result = await take(step, settings)
      results.push({ chapter: name, command: `./aksel ${step.run}`, result })
      if (result === 'failed') return results
    }
  }
  return results
}

async function take(step: Step, settings: TourSettings): Promise<StepResult['result']> {
  const { say, run, input, needsContainers = false } = step
  settings.print(`\n${say}\n\n  $ ./aksel ${run}\n${input === undefined ? '' : indented(input, '  | ')}`)
  if (needsContainers && settings.simulated) {
    settings.print('  (passed over: nodes are simulated, no container runs)\n')
    return 'passed over'
  }
  await settings.pause()
  const { outcome, isShown } = await asked(step, settings)
  settings.print(indented(shortened(outcome.output), '  '))
  if (isShown) return 'shown'
  settings.print(`\nThis is not what was to be seen: exit code ${outcome.code}, wanted ${step.shows.source}\n`)
  return 'failed'
}

async function asked(
  step: Step,
  settings: TourSettings,
): Promise<{ readonly outcome: Outcome; readonly isShown: boolean }> {
  const { input, shows, withinSeconds = 0, fails = false } = step
  for (let left = withinSeconds; ; left -= ASK_EVERY_MS / 1000) {
    const outcome = await settings.run(wordsOfStep(step), input)
    const isShown = (outcome.code !== 0) === fails && shows.test(outcome.output)
    if (isShown || left <= 0) return { outcome, isShown }
    await wait(ASK_EVERY_MS)
  }
}

function shortened(output: string): string {
  const lines = output.split('\n')
  if (lines.length <= LINES_MAX) return output
  return `${lines.slice(0, LINES_MAX).join('\n')}\n[${lines.length - LINES_MAX} more lines]\n`
}

function indented(text: string, by: string): string {
  const lines = text.replace(/\n$/, '').split('\n')
  return text === '' ? '' : `${lines.map((line) => `${by}${line}`).join('\n')}\n`
}
