// The official SDK's client at `aksel mcp` over stdio, as an editor starts it.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { repositoryRoot, type Aksel } from './aksel.ts'

export interface ToolAnswer {
  readonly isError?: boolean
  readonly content: readonly { readonly text: string }[]
}

export interface McpClient {
  readonly client: Client
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<ToolAnswer>
  /** What a tool says that must not fail. */
  readonly text: (name: string, args?: Record<string, unknown>) => Promise<string>
}

export async function mcpClient({ dataDir }: Aksel, ...flags: readonly string[]): Promise<McpClient> {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StdioClientTransport({
    command: join(repositoryRoot, 'aksel'),
    args: ['mcp', ...flags],
    env: { ...(process.env as Record<string, string>), AKSEL_DATA: dataDir },
  })
  await client.connect(transport)
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> =>
    (await client.callTool({ name, arguments: args }, undefined, { timeout: 60_000 })) as unknown as ToolAnswer
  return { client, call, text: async (name, args) => textOf(await call(name, args)) }
}

export function textOf({ content, isError }: ToolAnswer): string {
  assert.notEqual(isError, true, content[0]?.text)
  return content[0]!.text
}
