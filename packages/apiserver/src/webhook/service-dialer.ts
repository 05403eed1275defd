// Opens a connection to one endpoint of a Service: through the tunnel of the node that its pod runs on, or straight where
// the endpoint belongs to no node.

import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { endpointSlices, services } from '@aksel/api/resources'
import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { fraction, type Random } from '@aksel/base/ids'
import type { Client } from '@aksel/client/client'
import type { NodeConnector } from '../connect-handler.ts'

export interface DialedService {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

export interface ServiceDialer {
  /** Rejects with an error whose message says what is missing: `no endpoints available for service "x"`. */
  dial(service: DialedService, signal: AbortSignal): Promise<Duplex>
}

export interface ServiceDialerOptions {
  /** Reads Services and EndpointSlices, past authorization. */
  readonly objects: Pick<Client, 'get' | 'list'>
  readonly nodes: NodeConnector | undefined
  readonly random: Random
}

interface Endpoint {
  readonly host: string
  readonly port: number
  readonly nodeName: string | undefined
}

export function createServiceDialer(options: ServiceDialerOptions): ServiceDialer {
  return {
    async dial(wanted, signal) {
      const endpoint = await findEndpoint(options, wanted)
      return endpoint.nodeName === undefined
        ? dialTcp(endpoint, signal)
        : dialThroughNode(options.nodes, endpoint, endpoint.nodeName, signal)
    },
  }
}

async function findEndpoint({ objects, random }: ServiceDialerOptions, wanted: DialedService): Promise<Endpoint> {
  const service = await getService(objects, wanted)
  const external = service.spec?.externalName
  if (service.spec?.type === 'ExternalName' && external !== undefined) {
    return { host: external, port: wanted.port, nodeName: undefined }
  }
  const port = (service.spec?.ports ?? []).find((one) => one.port === wanted.port)
  if (port === undefined) throw new Error(`no service port ${wanted.port} found for service "${wanted.name}"`)
  const endpoints = await readyEndpoints(objects, wanted, port)
  const chosen = endpoints[Math.floor(fraction(random) * endpoints.length)]
  if (chosen === undefined) throw new Error(`no endpoints available for service "${wanted.name}"`)
  return chosen
}

async function getService(objects: Pick<Client, 'get'>, { namespace, name }: DialedService): Promise<Service> {
  try {
    return await objects.get(services, { namespace, name })
  } catch (error) {
    if (isReason(error, 'NotFound')) throw new Error(`service "${name}" not found`, { cause: error })
    throw error
  }
}

async function readyEndpoints(
  objects: Pick<Client, 'list'>,
  { namespace, name }: DialedService,
  servicePort: ServicePort,
): Promise<readonly Endpoint[]> {
  const slices = await objects.list(endpointSlices, {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  })
  return slices.items.flatMap((slice) => {
    const port = (slice.ports ?? []).find((one) => (one.name ?? '') === (servicePort.name ?? ''))?.port
    if (port === undefined) return []
    const ready = (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)
    return ready.flatMap(({ addresses, nodeName }) => addresses.slice(0, 1).map((host) => ({ host, port, nodeName })))
  })
}

function dialTcp({ host, port }: Endpoint, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, signal })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

async function dialThroughNode(
  nodes: NodeConnector | undefined,
  { host, port }: Endpoint,
  nodeName: string,
  signal: AbortSignal,
): Promise<Duplex> {
  if (nodes === undefined) throw new Error('this API server was started without a connection to nodes')
  const query = new URLSearchParams({ host, port: String(port) }).toString()
  const response = await nodes.open(nodeName, { method: 'POST', path: `/dial?${query}`, signal })
  if (response.status < 400) return response.stream
  response.stream.destroy()
  throw new Error(`error dialing backend: node "${nodeName}" answered ${response.status}`)
}
