// The agent as a conversation: questions, and words with a slash that are for the agent itself. What a line does is handed in.

import type { ToolOffer, Turn } from './model.ts'

export interface ShellParts {
  readonly print: (text: string) => void
  /** Rejects with the model's error. */
  readonly ask: (
    question: string,
    before: readonly Turn[],
  ) => Promise<{ readonly text: string; readonly turns: readonly Turn[] }>
  readonly offers: readonly ToolOffer[]
  /** Runs a command that the person typed: kubectl, helm or az, without a shell. Rejects for what is none. */
  readonly run: (command: string) => Promise<string>
  /** A shell of the person's own; undefined where nobody sits at a terminal. */
  readonly shell: (() => Promise<void>) | undefined
  /** Where the note was put. */
  readonly keepFeedback: (text: string) => Promise<string>
}

const words: Readonly<Record<string, string>> = {
  '/exit': 'leave',
  '/help': 'these words',
  '/clear': 'forget what was said',
  '/tools': 'the tools that the model may call',
  '/auto': 'show what tools answer, after each question, or no more',
  '/last': 'what the tools answered to the last question',
  '/show N': 'what the tool call with that number answered',
  '/run COMMAND': 'run kubectl, helm or az yourself; the model is told what it said',
  '/shell': 'a shell of your own; the way back is exit',
  '/context': 'how much the model is told',
  '/feedback TEXT': 'keep a note in the data folder; nothing is sent',
}

/** Characters that stand for one token of most models, about. */
const CHARS_PER_TOKEN = 4

export class AgentShell {
  readonly #parts: ShellParts
  #turns: readonly Turn[] = []
  /** Where the last question's turns begin. */
  #lastFrom = 0
  #isAuto: boolean

  constructor(parts: ShellParts, options: { readonly showOutput: boolean }) {
    this.#parts = parts
    this.#isAuto = options.showOutput
  }

  /** False when the conversation is over. Never rejects for what a question or a command came to: that is said. */
  async line(said: string): Promise<boolean> {
    const text = said.trim()
    if (text === '') return true
    if (text === '/exit') return false
    try {
      if (text.startsWith('/')) await this.#word(text)
      else await this.#question(text)
    } catch (error) {
      this.#parts.print(`${(error as Error).message}\n`)
    }
    return true
  }

  async #question(text: string): Promise<void> {
    const { text: answer, turns } = await this.#parts.ask(text, this.#turns)
    this.#lastFrom = this.#turns.length
    this.#turns = turns
    if (this.#isAuto) this.#showTools(this.#toolTurns(this.#lastFrom))
    this.#parts.print(`\n${answer}\n\n`)
  }

  async #word(text: string): Promise<void> {
    const [word = '', ...rest] = text.split(/\s+/)
    const more = rest.join(' ')
    const { print, offers, shell } = this.#parts
    switch (word) {
      case '/help':
        return print(
          Object.entries(words)
            .map(([each, does]) => `  ${each.padEnd(16)}${does}\n`)
            .join(''),
        )
      case '/clear':
        this.#turns = []
        this.#lastFrom = 0
        return print('Forgotten.\n')
      case '/tools':
        return print(
          offers.map(({ name, description }) => `  ${name.padEnd(24)}${description.split('.')[0]}.\n`).join(''),
        )
      case '/auto':
        this.#isAuto = !this.#isAuto
        return print(this.#isAuto ? 'What tools answer is shown.\n' : 'What tools answer is not shown.\n')
      case '/last':
        return this.#showTools(this.#toolTurns(this.#lastFrom))
      case '/show':
        return this.#showTools(this.#chosen(more))
      case '/run':
        return this.#ran(more)
      case '/shell':
        if (shell === undefined) throw new Error('A shell needs a terminal.')
        return shell()
      case '/context':
        return this.#context()
      case '/feedback':
        if (more === '') throw new Error('Say what: /feedback it took too long.')
        return print(`Kept in ${await this.#parts.keepFeedback(more)}. Nothing was sent.\n`)
      default:
        throw new Error(`"${word}" is none of ${['/exit', ...Object.keys(words).slice(1)].join(', ')}.`)
    }
  }

  async #ran(command: string): Promise<void> {
    if (command === '') throw new Error('Run what? /run kubectl get pods')
    const said = await this.#parts.run(command)
    this.#parts.print(said.endsWith('\n') ? said : `${said}\n`)
    const text = `I ran "${command}" myself. It said:\n${said}`
    this.#turns = [...this.#turns, { role: 'user', text }, { role: 'assistant', text: 'Seen.', calls: [] }]
  }

  #context(): void {
    const chars = this.#turns.reduce((sum, turn) => sum + turn.text.length, 0)
    const calls = this.#toolTurns(0).length
    this.#parts.print(
      `${this.#turns.length} turns, ${calls} tool calls, about ${Math.ceil(chars / CHARS_PER_TOKEN)} tokens.\n`,
    )
  }

  #chosen(number: string): readonly Numbered[] {
    const found = this.#toolTurns(0).filter((each) => String(each.number) === number)
    if (found.length === 0)
      throw new Error(`There is no tool call "${number}": there were ${this.#toolTurns(0).length}.`)
    return found
  }

  #toolTurns(from: number): readonly Numbered[] {
    const all: Numbered[] = []
    for (const [at, turn] of this.#turns.entries())
      if (turn.role === 'tool') all.push({ number: all.length + 1, at, turn })
    return all.filter(({ at }) => at >= from)
  }

  #showTools(calls: readonly Numbered[]): void {
    if (calls.length === 0) return this.#parts.print('No tool was called.\n')
    for (const { number, turn } of calls)
      this.#parts.print(`[${number}] ${turn.call.name} ${JSON.stringify(turn.call.args)}\n${turn.text}\n`)
  }
}

interface Numbered {
  readonly number: number
  readonly at: number
  readonly turn: Extract<Turn, { role: 'tool' }>
}
