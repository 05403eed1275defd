// What stands after `aksel bench`: groups and flags.

import { parseArgs } from 'node:util'
import { CommandError } from '../command-error.ts'
import { chooseGroups } from './group.ts'

export interface BenchArguments {
  readonly groups: readonly string[]
  readonly json: boolean
  readonly runs: number
  readonly full: boolean
  readonly tenth: boolean
  readonly nodes?: number
}

/** Throws a CommandError of exit code 2 for what is not known. */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args)
  if (values.output !== undefined && values.output !== 'json')
    throw new CommandError(`Unknown output format "${values.output}"; only "json" is known.`, 2)
  const nodes = values.nodes === undefined ? undefined : count('--nodes', values.nodes)
  return {
    groups: chooseGroups(positionals),
    json: values.output === 'json',
    runs: count('--runs', values.runs ?? '1'),
    full: values.full === true,
    tenth: values.tenth === true,
    ...(nodes === undefined ? {} : { nodes }),
  }
}

interface Parsed {
  readonly values: {
    readonly output?: string
    readonly runs?: string
    readonly nodes?: string
    readonly full?: boolean
    readonly tenth?: boolean
  }
  readonly positionals: readonly string[]
}

function parse(args: readonly string[]): Parsed {
  const options = {
    output: { type: 'string', short: 'o' },
    runs: { type: 'string' },
    nodes: { type: 'string' },
    full: { type: 'boolean' },
    tenth: { type: 'boolean' },
  } as const
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    const usage = 'aksel bench [GROUP…] [-o json] [--runs N] [--nodes N] [--full|--tenth]'
    throw new CommandError(`${(error as Error).message}\nUsage: ${usage}`, 2)
  }
}

function count(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 100)
    throw new CommandError(`${flag} is a whole number from 1 to 100, not "${text}".`, 2)
  return value
}
