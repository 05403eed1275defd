// What every az command has in hand: the front door, the terminal, and how to wait for an operation.

import type { ArmAnswer, ArmClient } from '../arm-client.ts'
import type { CliOptions } from '../options.ts'
import { AzError } from './az-error.ts'

export interface Terminal {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** Whether somebody can answer a question. */
  readonly interactive: boolean
  readonly ask: (question: string) => Promise<string>
}

/** Flags that every command takes. */
export interface CommonFlags {
  readonly output?: string
  readonly query?: string
  readonly subscription?: string
  readonly onlyShowErrors?: boolean
  readonly debug?: boolean
  readonly verbose?: boolean
}

export interface Session {
  readonly options: CliOptions
  readonly terminal: Terminal
  /** Throws where no server was ever started. */
  readonly arm: () => ArmClient
  readonly homeDirectory: string
}

/** `/subscriptions/S`, of the flag or of the server's own subscription. */
export function subscriptionPath(session: Session, flags: CommonFlags): string {
  return `/subscriptions/${flags.subscription ?? session.arm().connection.subscriptionId}`
}

/** The body of a GET. */
export async function get<T>(session: Session, path: string): Promise<T> {
  return (await session.arm().send<T>({ method: 'GET', path })).body
}

/** All items of a list, page by page. */
export async function listAll<T>(session: Session, path: string): Promise<readonly T[]> {
  const items: T[] = []
  for (let next: string | undefined = path; next !== undefined;) {
    const page: { readonly value: readonly T[]; readonly nextLink?: string } = await get(session, next)
    items.push(...page.value)
    next = page.nextLink
  }
  return items
}

/** Waits for the operation with a sign of life on stderr; az draws the same. */
export async function follow(session: Session, started: ArmAnswer<unknown>, flags: CommonFlags): Promise<void> {
  const warning = started.headers['warning']
  if (typeof warning === 'string' && flags.onlyShowErrors !== true) {
    session.terminal.error(`WARNING: ${/"(.*)"/.exec(warning)?.[1] ?? warning}\n`)
  }
  const frames = ['/', '-', '\\', '|']
  const quiet = flags.onlyShowErrors === true || !session.terminal.interactive
  let frame = 0
  const draw = (): void => session.terminal.error(`\r ${frames[frame++ % frames.length]} Running ..`)
  const timer = quiet ? undefined : setInterval(draw, 200)
  timer?.unref()
  try {
    await session.arm().wait(started)
  } finally {
    clearInterval(timer)
    if (!quiet && frame > 0) session.terminal.error('\r\u001b[2K')
  }
}

/** Asks before something is destroyed. */
export async function confirm(session: Session, yes: boolean | undefined, question: string): Promise<void> {
  if (yes === true) return
  if (!session.terminal.interactive) {
    throw new AzError('Unable to prompt for confirmation as no tty available. Use --yes.')
  }
  const answer = await session.terminal.ask(`${question} (y/n): `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new AzError('Operation cancelled.')
}
