// The `aksel` program: which command, with which options. What a command does lives in its own file.

import { failureOf } from './failure.ts'
import { readOptions } from './options.ts'

/** Commands are loaded one at a time: most of them need little, and the whole would cost a quarter of a second. */
const passThrough = {
  az: async () => (await import('./az/run.ts')).runAz,
  kubectl: async () => (await import('./commands/kubectl.ts')).runKubectl,
  helm: async () => (await import('./commands/kubectl.ts')).runHelm,
  test: async () => (await import('./commands/test.ts')).runTests,
  bench: async () => (await import('./commands/bench.ts')).runBench,
} as const

async function main(argv: readonly string[]): Promise<number> {
  const name = argv[0] ?? ''
  if (Object.hasOwn(passThrough, name)) {
    const run = await passThrough[name as keyof typeof passThrough]()
    return run(readOptions(process.env), argv.slice(1))
  }
  const { createProgram } = await import('./program.ts')
  let code = 0
  await createProgram(process.env, (ended) => (code = ended)).parseAsync([...argv], { from: 'user' })
  return code
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const { text, exitCode } = failureOf(error)
    process.stderr.write(`aksel: ${text}\n`)
    process.exitCode = exitCode
  },
)
