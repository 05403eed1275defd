// `aksel test`: the whole gate, or one part of it. Each part says what it ran and how long it took; the first failure's
// output is shown in full.

import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'
import { apart } from './apart.ts'

export interface Task {
  readonly name: string
  readonly argv: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}
/** Tasks one after the other, up to the first that fails. */
export type Lane = readonly Task[]

/** Test files that need nothing but Node share a few processes; the others make things on the host and run one file at a time. */
const unitPatterns = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts']
const hostPatterns = ['packages/*/src/**/*.host.test.ts', 'apps/*/src/**/*.host.test.ts']
/** Faults and long histories, small in the gate; some make processes, none makes anything on the host. */
const trustPatterns = ['packages/*/src/**/*.trust.test.ts', 'apps/*/src/**/*.trust.test.ts', 'tests/trust/**/*.test.ts']
/** A whole control plane in virtual time, by seed. */
const simPatterns = ['tests/sim/**/*.test.ts']
const conformancePatterns = ['tests/conformance/**/*.test.ts']
/** Of them, what waits two minutes for cron jobs on simulated nodes: it runs beside the simulation, which waits for nothing. */
const waitingPatterns = ['tests/conformance/apps/lifecycles.test.ts']
/** Of these minors, beside the default one, the parts of the suite that ask the API alone: all of it at full size, else a sample. */
const otherMinors = ['1.34', '1.36'] as const
const minorPatterns = {
  full: [
    'tests/conformance/{api-machinery,auth,cli}/**/*.test.ts',
    'tests/conformance/{storage,network}/*-kinds.test.ts',
    'tests/conformance/apps/{lifecycles,status-endpoints}.test.ts',
  ],
  gate: ['tests/conformance/api-machinery/{discovery,kind-lifecycles}.test.ts'],
} as const
const e2ePatterns = ['tests/e2e/**/*.test.ts']
/** Of them, what follows the suite instead of running beside it: both lanes then take about as long. */
const laterPatterns = ['tests/e2e/{kubectl,loops,simulated,simulated-nodes,tour}.test.ts']

/** The longest story of the gate takes about a minute; full sizes take their time. */
const FILE_TIMEOUT_MS = { gate: 400_000, full: 3_600_000 }

/** Each loads the sources anew, which takes seconds: more than two gain nothing on the machines that this runs on. */
const UNIT_PROCESSES = 2

const parts = ['check', 'unit', 'trust', 'sim', 'host', 'conformance', 'e2e', 'all'] as const
/** Parts that make real nodes. */
const hostParts: ReadonlySet<string> = new Set(['host', 'conformance', 'e2e', 'all'])
/** Parts that start an etcd or a registry, or build an image with programs of their own. */
const testPackageParts: ReadonlySet<string> = new Set(['trust', 'host', 'conformance', 'e2e', 'all'])
type Part = (typeof parts)[number]

export async function runTests(options: CliOptions, args: readonly string[]): Promise<number> {
  const wanted = args[0]
  if (wanted !== undefined && !parts.includes(wanted as Part)) {
    throw new CommandError(
      `Unknown part "${wanted}"; the parts are ${parts.join(', ')}. Without a part the whole gate runs.`,
      2,
    )
  }
  if (wanted === undefined || hostParts.has(wanted)) await prepareHost(options)
  if (wanted === undefined || testPackageParts.has(wanted)) await prepareTestPackages(options)
  const size = wanted === 'all' ? 'full' : 'gate'
  for (const stage of stagesOf(options, wanted as Part | undefined)) {
    const failed = await runStage({ ...options, environment: { ...options.environment, AKSEL_TEST_SIZE: size } }, stage)
    if (failed) return 1
  }
  return 0
}

/** The tests below make real nodes: what those need is installed as `up` would install it. */
async function prepareHost(options: CliOptions): Promise<void> {
  const { ensureSystemPackages } = await import('../system-packages.ts')
  const support = ensureSystemPackages({ isRoot: options.isRoot, say: (line) => process.stdout.write(`${line}\n`) })
  if (!support.realNodes)
    throw new CommandError(
      `These tests make real nodes, and this host cannot: ${support.why}. "./aksel test check" needs none.`,
    )
}

async function prepareTestPackages(options: CliOptions): Promise<void> {
  const { ensureTestPackages } = await import('../system-packages.ts')
  const lack = ensureTestPackages({ isRoot: options.isRoot, say: (line) => process.stdout.write(`${line}\n`) })
  if (lack !== undefined) throw new CommandError(`These tests need programs that this host lacks: ${lack}.`)
}

/** Stages come one after the other; the lanes of one run side by side. */
export function stagesOf(
  options: Pick<CliOptions, 'repositoryRoot'>,
  part: Part | undefined,
): readonly (readonly Lane[])[] {
  const bin = (name: string): string => join(options.repositoryRoot, 'node_modules', '.bin', name)
  const node = process.execPath
  const nodeTest = [node, '--disable-warning=ExperimentalWarning', '--test']
  const unit = dealt(filesOf(options, unitPatterns, /\.(host|trust)\.test\.ts$/), UNIT_PROCESSES).map(
    (files, index): Task => ({
      name: `unit ${index + 1} of ${UNIT_PROCESSES}`,
      argv: [...nodeTest, '--test-isolation=none', ...files],
    }),
  )
  const check: readonly Lane[] = [
    [{ name: 'format', argv: [bin('oxfmt'), '--check'] }],
    [{ name: 'lint', argv: [bin('oxlint'), '--type-aware'] }],
    [{ name: 'types', argv: [bin('tsc'), '--noEmit'] }],
    [{ name: 'types of the page', argv: [bin('tsc'), '--noEmit', '-p', 'apps/desktop'] }],
    ...unit.map((task) => [task]),
  ]
  // A file that hangs must fail, not hold up the gate.
  const isolated = [
    ...nodeTest,
    '--test-concurrency=1',
    '--test-force-exit',
    `--test-timeout=${FILE_TIMEOUT_MS[part === 'all' ? 'full' : 'gate']}`,
  ]
  const host: Task = { name: 'host', argv: [...isolated, ...filesOf(options, hostPatterns)] }
  const trust: Task = { name: 'trust', argv: [...isolated, ...filesOf(options, trustPatterns)] }
  const sim: Task = { name: 'sim', argv: [...isolated, ...filesOf(options, simPatterns)] }
  const suite = filesOf(options, conformancePatterns)
  const waiting = new Set(filesOf(options, waitingPatterns))
  const conformance: Task = { name: 'conformance', argv: [...isolated, ...suite] }
  const waits: Task = { name: 'conformance by the clock', argv: [...isolated, ...waiting] }
  const others: Task = { name: 'conformance', argv: [...isolated, ...suite.filter((file) => !waiting.has(file))] }
  const minors = otherMinors.map((minor): Task => ({
    name: `conformance under ${minor}`,
    argv: [...isolated, ...filesOf(options, minorPatterns[part === 'all' ? 'full' : 'gate'])],
    environment: { AKSEL_TEST_MINOR: minor },
  }))
  const stories = filesOf(options, e2ePatterns)
  const later = new Set(filesOf(options, laterPatterns))
  const e2e: Task = { name: 'e2e', argv: [...isolated, ...stories] }
  const beside: Task = { name: 'e2e beside', argv: apart([...isolated, ...stories.filter((file) => !later.has(file))]) }
  const after: Task = { name: 'e2e after', argv: [...isolated, ...later] }
  switch (part) {
    case 'check':
      return [check]
    case 'unit':
      return [unit.map((task) => [task])]
    case 'trust':
      return [[[trust]]]
    case 'sim':
      return [[[sim]]]
    case 'host':
      return [[[host]]]
    case 'conformance':
      return [[[conformance, ...minors]]]
    case 'e2e':
      return [[[e2e]]]
    case 'all':
    case undefined:
      // What waits most runs beside what computes: a third of the whole is waiting for what real nodes do.
      return [check, [[trust], [sim, waits]], [[host, others, ...minors, after], [beside]]]
    default:
      return part satisfies never
  }
}

/** The files in as many hands, one by one, so that a package's files are spread. */
function dealt(files: readonly string[], hands: number): readonly (readonly string[])[] {
  return Array.from({ length: hands }, (_, hand) => files.filter((_file, index) => index % hands === hand))
}

function filesOf(
  options: Pick<CliOptions, 'repositoryRoot'>,
  patterns: readonly string[],
  without?: RegExp,
): readonly string[] {
  const files = globSync([...patterns], { cwd: options.repositoryRoot, exclude: ['**/node_modules/**'] })
  const chosen = files.filter((file) => without === undefined || !without.test(file)).sort()
  if (chosen.length === 0) throw new CommandError(`No test file matches ${patterns.join(', ')}`)
  return chosen
}

/** How often a part that runs beside another says how far it is. */
const PROGRESS_MS = 60_000

/** Runs the stage's lanes side by side; true when one failed. A lone lane writes straight to the terminal. */
async function runStage(options: CliOptions, lanes: readonly Lane[]): Promise<boolean> {
  const quiet = lanes.length > 1
  const results = await Promise.all(
    lanes.map(async (lane) => {
      for (const task of lane) if (!(await runTask(options, task, { quiet }))) return false
      return true
    }),
  )
  return results.includes(false)
}

async function runTask(options: CliOptions, task: Task, how: { readonly quiet: boolean }): Promise<boolean> {
  const startedMs = performance.now()
  const [program, ...args] = task.argv
  // Standard input is closed: no test may wait for a person.
  const child = spawn(program!, args, {
    cwd: options.repositoryRoot,
    env: { ...options.environment, ...task.environment },
    stdio: ['ignore', how.quiet ? 'pipe' : 'inherit', how.quiet ? 'pipe' : 'inherit'],
  })
  const output: Buffer[] = []
  let passed = 0
  const failed = new Set<string>()
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    stream.on('data', (chunk: Buffer) => output.push(chunk))
    createInterface({ input: stream }).on('line', (line) => {
      if (/^\s*✔/.test(line)) passed += 1
      // What failed is known at once, and told whole at the end.
      else if (/^✖ (?!failing tests)/.test(line) && !failed.has(line)) {
        failed.add(line)
        process.stdout.write(`${task.name}: ${line}\n`)
      }
    })
  }
  const minutes = (): string => ((performance.now() - startedMs) / 60_000).toFixed(0)
  const told = setInterval(
    () => process.stdout.write(`${task.name}: ${passed} passed after ${minutes()} min\n`),
    PROGRESS_MS,
  )
  if (!how.quiet) clearInterval(told)
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve(exitCode ?? 1))
  })
  clearInterval(told)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const text = Buffer.concat(output).toString()
  if (code !== 0) process.stdout.write(text)
  else
    process.stdout.write(
      text
        .split('\n')
        .filter((line) => /^(ℹ|#) (tests|pass|fail|skipped) /.test(line))
        .map((line) => `${line}\n`)
        .join(''),
    )
  process.stdout.write(`${code === 0 ? 'ok' : 'FAILED'} ${task.name} (${seconds} s)\n`)
  return code === 0
}
