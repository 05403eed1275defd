// A model behind Anthropic's messages.

import Anthropic from '@anthropic-ai/sdk'
import type { MessageParam, Tool } from '@anthropic-ai/sdk/resources/messages'
import { ANSWER_MAX_TOKENS, type Model, type ModelSettings, type Turn } from './model.ts'

export function anthropicModel(name: string, { baseUrl, apiKey }: ModelSettings): Model {
  const client = new Anthropic({ baseURL: baseUrl ?? null, apiKey: apiKey ?? 'none' })
  return {
    async reply(system, turns, tools) {
      const { content } = await client.messages.create({
        model: name,
        max_tokens: ANSWER_MAX_TOKENS,
        system,
        messages: turns.map(messageOf),
        tools: tools.map(({ name: own, description, parameters }): Tool => ({
          name: own,
          description,
          input_schema: parameters as Tool['input_schema'],
        })),
      })
      return {
        text: content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join(''),
        calls: content.flatMap((block) =>
          block.type === 'tool_use'
            ? [{ id: block.id, name: block.name, args: block.input as Readonly<Record<string, unknown>> }]
            : [],
        ),
      }
    },
  }
}

function messageOf(turn: Turn): MessageParam {
  switch (turn.role) {
    case 'user':
      return { role: 'user', content: turn.text }
    case 'tool':
      return {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: turn.call.id, content: turn.text, is_error: turn.isError }],
      }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(turn.text === '' ? [] : [{ type: 'text' as const, text: turn.text }]),
          ...turn.calls.map(({ id, name, args }) => ({ type: 'tool_use' as const, id, name, input: args })),
        ],
      }
    default:
      return turn satisfies never
  }
}
