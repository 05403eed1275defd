// The agent's tools are those of the MCP server, in this process.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { CliOptions } from '../options.ts'
import { judgeAz, judgeHelm, judgeKubectl, type Limits } from '../mcp/access.ts'
import { createMcpServer, type ServerSettings } from '../mcp/server.ts'
import type { Tools } from './conversation.ts'
import type { ToolCall } from './model.ts'

const looking: Limits = { level: 'readonly', namespaces: [] }
const alwaysLooking = new Set([
  'aksel_diagnose',
  'aks_detector',
  'aks_network_resources',
  'aks_monitoring',
  'call_hubble',
  'get_aks_vmss_info',
  'collect_aks_node_logs',
])

export async function mcpTools(options: CliOptions, settings: ServerSettings): Promise<Tools & AsyncDisposable> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair()
  const server = createMcpServer(options, settings)
  const client = new Client({ name: 'aksel-agent', version: '0.1.0' })
  await server.connect(theirs)
  await client.connect(ours)
  const { tools } = await client.listTools()
  return {
    offers: tools.map(({ name, description = '', inputSchema }) => ({ name, description, parameters: inputSchema })),
    isReading,
    async run({ name, args }) {
      const timeout = settings.timeoutSeconds * 1000
      const { content, isError = false } = (await client.callTool({ name, arguments: { ...args } }, undefined, {
        timeout,
      })) as CallToolResult
      return { text: content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n'), isError }
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await server.close()
    },
  }
}

/** What would be let through where only looking is allowed. */
export function isReading({ name, args }: ToolCall): boolean {
  const given = args['command'] ?? (name === 'call_kubectl' ? args['args'] : undefined)
  const command = typeof given === 'string' ? given : ''
  switch (name) {
    case 'call_kubectl':
      return judgeKubectl(command, looking).allowed
    case 'call_helm':
      return judgeHelm(command, looking).allowed
    case 'call_az':
      return judgeAz(typeof args['cli_command'] === 'string' ? args['cli_command'] : '', looking).allowed
    default:
      return alwaysLooking.has(name)
  }
}
