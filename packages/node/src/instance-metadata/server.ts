// Serves the instance metadata of the machine at 169.254.169.254, in the machine's own network: to itself and to its pods, as in Azure.

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { networkInterfaces } from 'node:os'
import { once } from 'node:events'
import type { Scope } from '@aksel/base/scope'
import { run, type CommandRunner } from '@aksel/host/command'
import { noEvents, type ScheduledEvents } from '@aksel/provider/scheduled-events'
import { METADATA_ADDRESS } from '@aksel/provider/instance-metadata'
import { answerMetadata, type MetadataAnswer } from './answer.ts'
import type { InstanceFacts, InterfaceFacts } from './document.ts'

export interface InstanceMetadataOptions {
  readonly instance: InstanceFacts
  /** The machine's own address: the interface that has it is the machine's. */
  readonly nodeAddress: string
  /** Written by whoever has the machine in hand; none are scheduled where it is missing. */
  readonly eventsFile: string
  /** Pods with a network of their own are not answered. */
  readonly isRestricted: boolean
  /** A socket that listens already; absent: one at the service's own address. */
  readonly fd?: number
  /** Another place to listen, for tests. */
  readonly place?: { readonly host: string; readonly port: number }
  /** Asks whoever keeps the machine's identities, by path and query; absent where it has none. */
  readonly identities?: (scope: Scope, target: string) => Promise<{ readonly status: number; readonly body: string }>
  readonly run?: CommandRunner
  readonly onListening?: (port: number) => void
}

const TABLE = 'ip aksel-metadata'
const BODY_BYTES_MAX = 64 * 1024
const QUESTION_MS = 10_000

/** Until the scope aborts. */
export async function serveInstanceMetadata(scope: Scope, options: InstanceMetadataOptions): Promise<void> {
  const runner = options.run ?? run
  if (options.place === undefined) {
    await runner(scope, ['ip', 'addr', 'replace', `${METADATA_ADDRESS}/32`, 'dev', 'lo'])
    await runner(scope, ['nft', '-f', '-'], { input: restriction(options.isRestricted) })
  }
  const approved = new Set<string>()
  const server = createServer({ requestTimeout: QUESTION_MS, headersTimeout: QUESTION_MS }, (request, response) => {
    answer(scope, options, approved, request).then(
      ({ status, contentType, body }) => respond(response, { status, contentType, body }),
      (error: unknown) => {
        scope.log.debug('a question about the machine was not answered', { error })
        respond(response, { status: 500, contentType: 'application/json', body: '{"error":"Internal error"}' })
      },
    )
  })
  if (options.fd !== undefined) server.listen({ fd: options.fd })
  else server.listen(options.place ?? { host: METADATA_ADDRESS, port: 80 })
  await once(server, 'listening')
  const bound = server.address()
  options.onListening?.(typeof bound === 'object' && bound !== null ? bound.port : 80)
  if (!scope.signal.aborted)
    await new Promise<void>((resolve) => scope.signal.addEventListener('abort', () => resolve(), { once: true }))
  server.closeAllConnections()
  server.close()
}

/** As AKS's rule on its nodes: what comes from a pod is dropped; pods on the machine's network come from the machine. */
export function restriction(isRestricted: boolean): string {
  const chain = `chain input { type filter hook input priority -50; iifname != "lo" ip daddr ${METADATA_ADDRESS} drop; }`
  return `add table ${TABLE}\ndelete table ${TABLE}\n${isRestricted ? `table ${TABLE} {\n${chain}\n}\n` : ''}`
}

function respond(response: ServerResponse, { status, contentType, body }: MetadataAnswer): void {
  response.writeHead(status, { 'content-type': contentType, server: 'IMDS/150.870.65.1 (aksel)' })
  response.end(body)
}

async function answer(
  scope: Scope,
  options: InstanceMetadataOptions,
  approved: Set<string>,
  request: IncomingMessage,
): Promise<MetadataAnswer> {
  const body = await bodyOf(request)
  const events = await eventsIn(options.eventsFile)
  for (const id of approved) if (!events.events.some((event) => event.id === id)) approved.delete(id)
  const found = answerMetadata(
    { instance: options.instance, interfaces: interfacesWith(options.nodeAddress), events, approved },
    { method: request.method ?? '', target: request.url ?? '/', headers: request.headers, body },
  )
  for (const id of found.approved ?? []) approved.add(id)
  if (found.passedOn === undefined || options.identities === undefined) return found
  return identityAnswer(scope, options.identities, found.passedOn)
}

async function identityAnswer(
  scope: Scope,
  ask: NonNullable<InstanceMetadataOptions['identities']>,
  target: string,
): Promise<MetadataAnswer> {
  const contentType = 'application/json; charset=utf-8'
  try {
    return { contentType, ...(await ask(scope, target)) }
  } catch (error) {
    scope.log.warn('no token of an identity of the machine was got', { error })
    const error_description =
      'Failed to retrieve token from the Active directory. For details see the logs of the node agent'
    return { status: 500, contentType, body: JSON.stringify({ error: 'unknown', error_description }) }
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function eventsIn(file: string): Promise<ScheduledEvents> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ScheduledEvents
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return noEvents
    throw error
  }
}

function interfacesWith(address: string): readonly InterfaceFacts[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.flatMap((one) => {
    if (one.family !== 'IPv4' || one.address !== address) return []
    const prefixLength = Number(one.cidr?.split('/')[1] ?? 32)
    return [{ address, subnet: networkOf(address, one.netmask), prefixLength, macAddress: one.mac }]
  })
}

function networkOf(address: string, mask: string): string {
  const bits = mask.split('.').map(Number)
  return address
    .split('.')
    .map((part, at) => Number(part) & bits[at]!)
    .join('.')
}
