// `aksel agent "…"`: asks in words. With a model it calls tools and shows each; without one it answers through diagnosis.

import { createInterface, type Interface } from 'node:readline/promises'
import { families } from '@aksel/diagnosis/finding'
import { parseSubject } from '@aksel/diagnosis/subjects'
import { converse, type Answer, type ConversationSettings } from '../agent/conversation.ts'
import { mcpTools } from '../agent/mcp-tools.ts'
import type { Model, ModelSettings, ToolCall, Turn } from '../agent/model.ts'
import { ownCommands } from '../agent/own-commands.ts'
import { AgentShell } from '../agent/shell.ts'
import { Runner } from '../mcp/command-runner.ts'
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

/** Without a question it is a conversation, line by line, until /exit or the end of the input. */
export async function runAgent(options: CliOptions, question: string | undefined, flags: AgentFlags): Promise<number> {
  const { environment } = options
  const settings: ModelSettings = {
    model: flags.model ?? environment['AKSEL_MODEL'] ?? '',
    baseUrl: flags.baseUrl ?? environment['AKSEL_MODEL_URL'],
    apiKey: environment['AKSEL_MODEL_KEY'],
  }
  if (settings.model === '' && question !== undefined) return withoutModel(options, question, flags)
  if (question === undefined && flags.output === 'json') throw new CommandError('-o json wants a question.', 2)
  const json = flags.output === 'json'
  const print = (text: string): void => void (json ? process.stderr : process.stdout).write(text)
  const model = settings.model === '' ? undefined : await modelOf(settings)
  await using tools = await mcpTools(options, {
    level: 'readwrite',
    namespaces: flags.namespace === undefined ? [] : [flags.namespace],
    timeoutSeconds: TOOL_SECONDS,
  })
  // One reader of the terminal: questions and answers to "Do it?" come through the same lines.
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const conversation: Omit<ConversationSettings, 'model'> = {
      tools,
      stepsMax: flags.maxSteps,
      showOutput: question !== undefined && flags.showToolOutput === true,
      print,
      approve: (call) => approve(lines, call, flags),
    }
    if (question === undefined) {
      await talk(options, flags, { lines, print, model, conversation })
      return 0
    }
    const { text, calls } = await asked(question, { ...conversation, model: model! })
    process.stdout.write(json ? `${JSON.stringify({ text, calls }, null, 2)}\n` : `\n${text}\n`)
    return 0
  } finally {
    lines.close()
  }
}

interface Talk {
  readonly lines: Interface
  readonly print: (text: string) => void
  readonly model: Model | undefined
  readonly conversation: Omit<ConversationSettings, 'model'>
}

async function talk(
  options: CliOptions,
  flags: AgentFlags,
  { lines, print, model, conversation }: Talk,
): Promise<void> {
  const isTerminal = process.stdin.isTTY
  const runner = new Runner(options, { timeoutSeconds: TOOL_SECONDS })
  const own = ownCommands(options, runner)
  const shell = new AgentShell(
    {
      print,
      offers: conversation.tools.offers,
      ask: async (question, before) => {
        if (model !== undefined) return asked(question, { ...conversation, model }, before)
        await withoutModel(options, question, flags)
        return { text: '', turns: before }
      },
      run: own.run,
      shell: isTerminal ? own.shell : undefined,
      keepFeedback: own.keepFeedback,
    },
    { showOutput: flags.showToolOutput === true },
  )
  print(
    `${model === undefined ? 'No model is configured: diagnosis answers.' : 'Ask.'} /help shows what else there is.\n`,
  )
  const prompt = (): void => void (isTerminal && lines.prompt())
  prompt()
  for await (const line of lines) {
    if (!(await shell.line(line))) break
    prompt()
  }
}

async function asked(
  question: string,
  settings: ConversationSettings,
  before: readonly Turn[] = [],
): Promise<Answer & { readonly turns: readonly Turn[] }> {
  try {
    return await converse(question, settings, before)
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
async function approve(lines: Interface, call: ToolCall, { interactive, output }: AgentFlags): Promise<boolean> {
  if (!interactive || output === 'json' || !process.stdin.isTTY) return false
  const said = await lines.question(
    `  This changes something: ${call.name} ${JSON.stringify(call.args)}\n  Do it? [y/N] `,
  )
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
