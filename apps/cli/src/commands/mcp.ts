// `aksel mcp`: the MCP server, on standard input and output or over HTTP with a token.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { CommandError } from '../command-error.ts'
import { accessLevels, type AccessLevel } from '../mcp/access.ts'
import { components, createMcpServer, type Component, type ServerSettings } from '../mcp/server.ts'
import type { CliOptions } from '../options.ts'

export interface McpFlags {
  readonly accessLevel: string
  readonly allowNamespaces?: string
  readonly enabledComponents?: string
  readonly defaultAksResourceId?: string
  readonly timeout: number
  readonly transport: string
  readonly port: number
}

const BODY_MAX_BYTES = 4 << 20

/** Ends when the client closes its side, or never over HTTP. */
export async function runMcp(options: CliOptions, flags: McpFlags): Promise<void> {
  const level = accessLevels.find((each): each is AccessLevel => each === flags.accessLevel)
  if (level === undefined)
    throw new CommandError(`Unknown access level "${flags.accessLevel}": ${accessLevels.join(', ')}.`, 2)
  const settings: ServerSettings = {
    level,
    namespaces: (flags.allowNamespaces ?? '').split(',').filter((name) => name !== ''),
    timeoutSeconds: flags.timeout,
    ...componentsOf(flags.enabledComponents),
    defaultClusterId: flags.defaultAksResourceId ?? options.environment['AZURE_AKS_RESOURCE_ID'],
  }
  switch (flags.transport) {
    case 'stdio':
      return overStdio(options, settings)
    case 'streamable-http':
      return overHttp(options, settings, flags.port)
    default:
      throw new CommandError(`Unknown transport "${flags.transport}": stdio, streamable-http.`, 2)
  }
}

/** Throws a CommandError for a component that there is not. */
function componentsOf(list = ''): Pick<ServerSettings, 'components'> {
  const words = list.split(',').filter((word) => word !== '')
  if (words.length === 0) return {}
  const wrong = words.find((word) => !components.some((each) => each === word))
  if (wrong !== undefined) throw new CommandError(`Unknown component "${wrong}": ${components.join(', ')}.`, 2)
  return { components: words as Component[] }
}

async function overStdio(options: CliOptions, settings: ServerSettings): Promise<void> {
  const server = createMcpServer(options, settings)
  const closed = new Promise<void>((resolve) => process.stdin.once('end', resolve))
  await server.connect(new StdioServerTransport())
  await closed
  await server.close()
}

/** On loopback only. Each request is answered by itself: there is nothing that a session would keep. */
async function overHttp(options: CliOptions, settings: ServerSettings, port: number): Promise<void> {
  const token = process.env['AKSEL_MCP_TOKEN'] ?? randomBytes(24).toString('base64url')
  const http = createServer((request, response) => {
    answer(request, response, { options, settings, token }).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500).end(String(error))
      else response.destroy()
    })
  })
  http.listen(port, '127.0.0.1')
  await new Promise((resolve, reject) => {
    http.once('listening', resolve)
    http.once('error', reject)
  })
  const { port: bound } = http.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${bound}/mcp`, token })}\n`)
  await new Promise((resolve) => http.once('close', resolve))
}

interface Answering {
  readonly options: CliOptions
  readonly settings: ServerSettings
  readonly token: string
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { options, settings, token }: Answering,
): Promise<void> {
  // A page of a browser that was led here by a name of its own has that name as host.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  if (host !== '127.0.0.1' && host !== 'localhost') return void response.writeHead(403).end('unknown host\n')
  if (request.headers.origin !== undefined) return void response.writeHead(403).end('browsers are not served\n')
  if (!isToken(request.headers.authorization, token))
    return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('a bearer token is wanted\n')
  if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/mcp') return void response.writeHead(404).end()
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end()
  const body = await readJson(request)
  if (body === undefined) return void response.writeHead(400).end('no JSON\n')
  const server = createMcpServer(options, settings)
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  response.once('close', () => void server.close())
  // The SDK's own class is not assignable to its interface where absent and undefined differ.
  await server.connect(transport as unknown as Transport)
  await transport.handleRequest(request, response, body)
}

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BODY_MAX_BYTES) return undefined
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch {
    return undefined
  }
}
