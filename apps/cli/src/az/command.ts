// Building az commands: the flags that all share, and printing what a command returns.

import { InvalidArgumentError, Option, type Command } from 'commander'
import { AzError } from './az-error.ts'
import { render, type Format, type OutputOptions } from './output.ts'
import type { CommonFlags, Session } from './session.ts'

export interface Leaf<Flags> {
  readonly description: string
  /** Adds the flags of this command. */
  readonly flags: (command: Command) => Command
  readonly row?: OutputOptions['row']
  /** What it prints where nobody says; `json` when absent, as az does. */
  readonly format?: Format
  /** The lines of `table` where one result has several; `row` when absent. */
  readonly lines?: (result: unknown) => readonly Readonly<Record<string, unknown>>[]
  /** The result to print; undefined prints nothing. */
  readonly run: (session: Session, flags: Flags & CommonFlags) => Promise<unknown>
}

export function addLeaf<Flags>(parent: Command, session: Session, name: string, leaf: Leaf<Flags>): void {
  const command = leaf.flags(parent.command(name).description(leaf.description))
  command
    .option('-o, --output <format>', 'json, jsonc, table, tsv, yaml, yamlc or none')
    .option('--query <jmespath>', 'JMESPath query string')
    .option('--subscription <id>', 'id of the subscription')
    .option('--only-show-errors', 'suppress warnings')
    .option('--verbose', 'accepted for the sake of scripts')
    .option('--debug', 'accepted for the sake of scripts')
    .allowExcessArguments(false)
    .action(async (flags: Flags & CommonFlags) => {
      const result = await leaf.run(session, flags)
      const format = flags.output ?? leaf.format
      const isLined = leaf.lines !== undefined && format?.toLowerCase() === 'table' && flags.query === undefined
      const shown = isLined ? leaf.lines(result) : result
      const text = await render(shown, { format, query: flags.query, row: leaf.row })
      session.terminal.out(text)
    })
}

/** A flag without which az does not start; both of its names are told where it lacks. */
export function required(names: string, description: string): Option {
  return new Option(names, description).makeOptionMandatory()
}

export function parseCount(text: string): number {
  const count = Number(text)
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError(`invalid int value: '${text}'`)
  return count
}

/** What commander says, as az says it. */
export function usageError(commandPath: string, code: string, message: string): AzError {
  const clean = message.replace(/^error: /, '')
  if (code === 'commander.missingMandatoryOptionValue') {
    const names = /'([^']+)'/.exec(clean)?.[1]?.replaceAll(/\s*<[^>]*>(\.\.\.)?/g, '') ?? ''
    const shown = names
      .split(', ')
      .toSorted((left, right) => right.length - left.length)
      .join('/')
    return new AzError(`the following arguments are required: ${shown}`, 2)
  }
  if (code === 'commander.unknownOption') {
    const option = /'([^']+)'/.exec(clean)?.[1] ?? ''
    return new AzError(`unrecognized arguments: ${option}`, 2)
  }
  if (code === 'commander.unknownCommand') {
    const word = /'([^']+)'/.exec(clean)?.[1] ?? ''
    return new AzError(`'${word}' is misspelled or not recognized by the system.`, 2)
  }
  return new AzError(`${commandPath === '' ? '' : `${commandPath}: `}${clean}`, 2)
}
