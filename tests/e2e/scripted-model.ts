// A server of a language model whose answers are written down: it speaks OpenAI's chat completions and Anthropic's messages.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface ScriptedReply {
  readonly text?: string
  readonly call?: { readonly name: string; readonly args: object }
}

export interface ScriptedModel extends AsyncDisposable {
  readonly url: string
  /** Bodies as they came. */
  readonly requests: readonly unknown[]
}

/** Answers in order; after the last one it has no more to say. */
export async function scriptedModel(replies: readonly ScriptedReply[]): Promise<ScriptedModel> {
  const requests: unknown[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const reply = replies[requests.length] ?? { text: 'no more' }
      requests.push(body)
      const isAnthropic = request.url?.includes('/messages') === true
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isAnthropic ? message(reply) : completion(reply)))
    })
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function completion({ text = '', call }: ScriptedReply): object {
  const calls =
    call === undefined
      ? {}
      : {
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: call.name, arguments: JSON.stringify(call.args) } },
          ],
        }
  return {
    id: 'r1',
    object: 'chat.completion',
    created: 1,
    model: 'scripted',
    choices: [
      {
        index: 0,
        finish_reason: call === undefined ? 'stop' : 'tool_calls',
        message: { role: 'assistant', content: text, ...calls },
      },
    ],
  }
}

function message({ text, call }: ScriptedReply): object {
  return {
    id: 'r1',
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    stop_reason: call === undefined ? 'end_turn' : 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
    content: [
      ...(text === undefined ? [] : [{ type: 'text', text }]),
      ...(call === undefined ? [] : [{ type: 'tool_use', id: 'c1', name: call.name, input: call.args }]),
    ],
  }
}
