// What the agent asks of a language model, whoever serves it.

export interface ToolOffer {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

export type Turn =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly call: ToolCall; readonly text: string; readonly isError: boolean }

export interface Reply {
  readonly text: string
  /** None: the answer is done. */
  readonly calls: readonly ToolCall[]
}

export interface Model {
  /** Rejects with the provider's error. */
  reply(system: string, turns: readonly Turn[], tools: readonly ToolOffer[]): Promise<Reply>
}

export interface ModelSettings {
  /** `openai/NAME` for every server that speaks OpenAI's chat completions, `anthropic/NAME`. */
  readonly model: string
  readonly baseUrl: string | undefined
  readonly apiKey: string | undefined
}

/** Of one answer; a provider's own limit is often too low for a whole explanation. */
export const ANSWER_MAX_TOKENS = 4096
