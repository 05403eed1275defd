// `aksel agent "…"`: asks in words. With a model it calls tools and shows each; without one it answers through diagnosis.

import { createInterface } from 'node:readline/promises'
import { families } from '@aksel/diagnosis/finding'
import { parseSubject } from '@aksel/diagnosis/subjects'
import { converse, type Answer } from '../agent/conversation.ts'
import { mcpTools } from '../agent/mcp-tools.ts'
import type { Model, ModelSettings, ToolCall } from '../agent/model.ts'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'
import { runDiagnose } from './diagnose.ts'

export interface AgentFlags {
  readonly model?: string
  readonly baseUrl?: string
  readonly namespace?: string
  readonly maxSteps: number
  readonly interactive: boolean
  readonly showToolOutput?: boolean
  readonly output?: string
}

const TOOL_SECONDS = 120

export async function runAgent(options: CliOptions, question: string, flags: AgentFlags): Promise<number> {
  const { environment } = options
  const settings: ModelSettings = {
    model: flags.model ?? environment['AKSEL_MODEL'] ?? '',
    baseUrl: flags.baseUrl ?? environment['AKSEL_MODEL_URL'],
    apiKey: environment['AKSEL_MODEL_KEY'],
  }
  if (settings.model === '') return withoutModel(options, question, flags)
  const json = flags.output === 'json'
  const print = (text: string): void => void (json ? process.stderr : process.stdout).write(text)
  const model = await modelOf(settings)
  await using tools = await mcpTools(options, {
    level: 'readwrite',
    namespaces: flags.namespace === undefined ? [] : [flags.namespace],
    timeoutSeconds: TOOL_SECONDS,
  })
  const answer = await asked(question, {
    model,
    tools,
    stepsMax: flags.maxSteps,
    showOutput: flags.showToolOutput === true,
    print,
    approve: (call) => approve(call, flags),
  })
  process.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : `\n${answer.text}\n`)
  return 0
}

async function asked(question: string, settings: Parameters<typeof converse>[1]): Promise<Answer> {
  try {
    return await converse(question, settings)
  } catch (error) {
    throw new CommandError(`The model does not answer: ${(error as Error).message}`)
  }
}

async function modelOf(settings: ModelSettings): Promise<Model> {
  const [provider, ...rest] = settings.model.split('/')
  const name = rest.join('/')
  if (name === '') throw new CommandError(`"${settings.model}" names no model: give openai/NAME or anthropic/NAME.`, 2)
  switch (provider) {
    case 'openai':
      return (await import('../agent/openai-model.ts')).openAiModel(name, settings)
    case 'anthropic':
      return (await import('../agent/anthropic-model.ts')).anthropicModel(name, settings)
    default:
      throw new CommandError(
        `Unknown provider "${provider}": openai, for every server of that kind with --base-url, or anthropic.`,
        2,
      )
  }
}

/** Only a person at a terminal can say yes. */
async function approve(call: ToolCall, { interactive, output }: AgentFlags): Promise<boolean> {
  if (!interactive || output === 'json' || !process.stdin.isTTY) return false
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const said = await lines.question(
    `  This changes something: ${call.name} ${JSON.stringify(call.args)}\n  Do it? [y/N] `,
  )
  lines.close()
  return /^y(?:es)?$/i.test(said.trim())
}

/** The object or the family that the question names, else everything. */
async function withoutModel(options: CliOptions, question: string, flags: AgentFlags): Promise<number> {
  const words = question.toLowerCase().match(/[a-z0-9./-]+/g) ?? []
  const namespace = flags.namespace ?? 'default'
  const what = words.find((word) => parseSubject(word, namespace) !== undefined) ?? familyIn(words)
  process.stderr.write('No model is configured (--model or AKSEL_MODEL): this is what diagnosis finds.\n')
  return runDiagnose(options, what, {
    ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
    ...(flags.output === undefined ? {} : { output: flags.output }),
  })
}

const spoken: Readonly<Record<string, (typeof families)[number]>> = {
  crash: 'containers',
  crashing: 'containers',
  restarts: 'containers',
  slow: 'performance',
  latency: 'performance',
  cpu: 'performance',
  dns: 'network',
  connection: 'network',
  ingress: 'network',
  disk: 'storage',
  volume: 'storage',
  forbidden: 'access',
  certificate: 'access',
  login: 'access',
  node: 'nodes',
  notready: 'nodes',
}

export function familyIn(words: readonly string[]): string | undefined {
  for (const word of words) {
    const family = families.find((each) => each === word) ?? spoken[word]
    if (family !== undefined) return family
  }
  return undefined
}
