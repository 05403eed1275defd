// A model behind OpenAI's chat completions, as most servers of models offer them.

import OpenAI from 'openai'
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import { ANSWER_MAX_TOKENS, type Model, type ModelSettings, type ToolCall, type Turn } from './model.ts'

export function openAiModel(name: string, { baseUrl, apiKey }: ModelSettings): Model {
  const client = new OpenAI({ baseURL: baseUrl ?? null, apiKey: apiKey ?? 'none' })
  return {
    async reply(system, turns, tools) {
      const { choices } = await client.chat.completions.create({
        model: name,
        max_completion_tokens: ANSWER_MAX_TOKENS,
        messages: [{ role: 'system', content: system }, ...turns.map(messageOf)],
        tools: tools.map((tool): ChatCompletionTool => ({ type: 'function', function: { ...tool } })),
      })
      const message = choices[0]?.message
      const calls = (message?.tool_calls ?? []).flatMap((call): readonly ToolCall[] =>
        call.type === 'function'
          ? [{ id: call.id, name: call.function.name, args: argumentsOf(call.function.arguments) }]
          : [],
      )
      return { text: message?.content ?? '', calls }
    },
  }
}

function messageOf(turn: Turn): ChatCompletionMessageParam {
  switch (turn.role) {
    case 'user':
      return { role: 'user', content: turn.text }
    case 'tool':
      return { role: 'tool', tool_call_id: turn.call.id, content: turn.text }
    case 'assistant':
      return {
        role: 'assistant',
        content: turn.text,
        ...(turn.calls.length === 0
          ? {}
          : {
              tool_calls: turn.calls.map(({ id, name, args }) => ({
                id,
                type: 'function' as const,
                function: { name, arguments: JSON.stringify(args) },
              })),
            }),
      }
    default:
      return turn satisfies never
  }
}

/** A model may write what is no JSON: the tool then says what it wants. */
function argumentsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}
