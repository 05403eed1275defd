// One nft program that is kept alive: a change of one service costs under a millisecond instead of a program start.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Scope } from '@aksel/base/scope'
import type { NftRunner } from './runner.ts'

// After each line nft is asked to describe something; its answer marks the end of the line's own output. Errors come
// through the same pipe, so that what stands before the mark belongs to the line.
const ASK = 'describe l4proto\n'
const MARK = 'symbol expression, datatype invalid (invalid)'

interface Session {
  readonly child: ChildProcessWithoutNullStreams
  readonly waiting: ((error?: Error) => void)[]
  output: string
}

/** In the caller's network namespace. Started at the first script, and again after it died. */
export class InteractiveNft implements NftRunner, Disposable {
  #session: Session | undefined
  readonly #argv: readonly string[]

  /** `argv` is for tests that enter a namespace first. */
  constructor(argv: readonly string[] = []) {
    this.#argv = [...argv, 'sh', '-c', 'exec nft -i 2>&1']
  }

  apply(_scope: Scope, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const session = (this.#session ??= this.#start())
      session.waiting.push((error) => (error === undefined ? resolve() : reject(error)))
      // One line is one transaction.
      session.child.stdin.write(`${lines.join(' ; ')}\n${ASK}`)
    })
  }

  [Symbol.dispose](): void {
    this.#session?.child.kill('SIGKILL')
    this.#session = undefined
  }

  #start(): Session {
    const child = spawn(this.#argv[0]!, this.#argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
    const session: Session = { child, waiting: [], output: '' }
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (chunk: string) => read(session, chunk))
    child.stdin.on('error', () => {})
    const onEnd = (why: string): void => {
      if (this.#session === session) this.#session = undefined
      for (const settle of session.waiting.splice(0)) settle(new Error(`nft ended before it answered (${why})`))
    }
    child.once('error', (error) => onEnd(error.message))
    child.once('close', (code, signal) => onEnd(code === null ? String(signal) : `exit code ${code}`))
    return session
  }
}

function read(session: Session, chunk: string): void {
  session.output += chunk
  for (let at = session.output.indexOf(MARK); at >= 0; at = session.output.indexOf(MARK)) {
    const said = session.output.slice(0, at)
    session.output = session.output.slice(at + MARK.length)
    const error = /Error:[^\n]*/.exec(said)?.[0]
    session.waiting.shift()?.(error === undefined ? undefined : new Error(`nft refused a change: ${error}`))
  }
}
