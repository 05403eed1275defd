// What a client of the official SDK is offered: tools by component, their hints by level, and prompts that name no tool which is not there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { createMcpServer, type ServerSettings } from './server.ts'

const options = { repositoryRoot: '/', dataDir: '/nowhere', isRoot: false, environment: {} }

async function offered(more: Partial<ServerSettings> = {}): Promise<Client> {
  const [near, far] = InMemoryTransport.createLinkedPair()
  await createMcpServer(options, { level: 'readonly', namespaces: [], timeoutSeconds: 60, ...more }).connect(far)
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(near)
  return client
}

test('every prompt of AKS-MCP is there, and names no tool that is not', async () => {
  await using client = await closing(offered())
  const names = (await client.listTools()).tools.map(({ name }) => name)
  const { prompts } = await client.listPrompts()
  assert.deepEqual(prompts.map(({ name }) => name).toSorted(), [
    'check_cluster_health',
    'query_aks_cluster_metadata_from_kubeconfig',
  ])
  for (const { name } of prompts) {
    const { content } = (await client.getPrompt({ name })).messages[0]!
    assert.ok(content.type === 'text')
    const named = content.text.match(/\b(?:aks|aksel|call|az|get|collect)_\w+/g) ?? []
    assert.ok(named.length > 0, name)
    assert.deepEqual(
      named.filter((tool) => !names.includes(tool)),
      [],
      name,
    )
  }
})

test('components choose the tools, and only above readonly a tool may destroy', async () => {
  await using few = await closing(offered({ components: ['kubectl', 'fleet'] }))
  assert.deepEqual((await few.listTools()).tools.map(({ name }) => name).toSorted(), [
    'aksel_diagnose',
    'az_fleet',
    'call_kubectl',
  ])
  for (const level of ['readonly', 'readwrite', 'admin'] as const) {
    await using client = await closing(offered({ level }))
    const kubectl = (await client.listTools()).tools.find(({ name }) => name === 'call_kubectl')
    assert.equal(kubectl?.annotations?.readOnlyHint, level === 'readonly')
    assert.equal(kubectl?.annotations?.destructiveHint, level !== 'readonly')
  }
})

/** A client that is closed when the test is done with it. */
async function closing(opened: Promise<Client>): Promise<Client & AsyncDisposable> {
  const client = await opened
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}
