// What a proxy path means: `https:web:8443` of pods or services becomes an address and the node to dial it from.

import { endpointSlices, pods, services } from '@aksel/api/resources'
import type { Pod, Service } from '@aksel/api/types/core-v1'
import { standardAddress } from '@aksel/api/validation/addresses'
import { ApiError } from '@aksel/base/errors'
import type { Random } from '@aksel/base/ids'
import { fraction } from '@aksel/base/ids'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'

export interface ProxyTarget {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** The node in whose network the address is dialled. */
  readonly nodeName: string
}

interface AskedName {
  readonly scheme: 'http' | 'https'
  readonly name: string
  /** A number or a name; '' when none is given. */
  readonly port: string
}

/** `[scheme:]name[:port]`, as upstream splits it. */
export function parseProxyName(text: string): AskedName | undefined {
  const parts = text.split(':')
  const [first, second, third] = parts as [string, string?, string?]
  if (parts.length === 1) return { scheme: 'http', name: first, port: '' }
  if (parts.length === 2) return { scheme: 'http', name: first, port: second! }
  if (parts.length !== 3 || !['', 'http', 'https'].includes(first)) return undefined
  return { scheme: first === 'https' ? 'https' : 'http', name: second!, port: third! }
}

export async function findProxyTarget(
  random: Random,
  options: ConnectOptions,
  call: ConnectCall,
): Promise<ProxyTarget> {
  const asked = parseProxyName(call.name)
  if (asked === undefined || asked.name === '') {
    throw new ApiError('BadRequest', `invalid ${call.resource === 'pods' ? 'pod' : 'service'} request "${call.name}"`)
  }
  const ref = { namespace: call.namespace ?? '', name: asked.name }
  if (call.resource === 'pods') return podTarget(await options.objects.get(pods, ref), asked)
  return serviceTarget(random, options, await options.objects.get(services, ref), asked)
}

function podTarget(pod: Pod, asked: AskedName): ProxyTarget {
  const declared = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? [])[0]?.containerPort
  const port = asked.port === '' ? (declared ?? (asked.scheme === 'https' ? 443 : 80)) : Number(asked.port)
  const host = pod.status?.podIP
  const nodeName = pod.spec?.nodeName
  if (!Number.isInteger(port)) throw new ApiError('BadRequest', `invalid pod request "${asked.name}:${asked.port}"`)
  if (host === undefined || host === '' || nodeName === undefined) {
    throw new ApiError('ServiceUnavailable', `pod "${asked.name}" has no address yet`)
  }
  return { scheme: asked.scheme, host, port, nodeName }
}

async function serviceTarget(
  random: Random,
  options: ConnectOptions,
  service: Service,
  asked: AskedName,
): Promise<ProxyTarget> {
  const ports = service.spec?.ports ?? []
  const found =
    asked.port === '' && ports.length === 1
      ? ports[0]
      : ports.find(({ name, port }) => (name ?? '') === asked.port || String(port) === asked.port)
  if (found === undefined) {
    throw new ApiError('ServiceUnavailable', `no service port "${asked.port}" found for service "${asked.name}"`)
  }
  const slices = await options.objects.list(endpointSlices, {
    namespace: service.metadata.namespace ?? '',
    labelSelector: `kubernetes.io/service-name=${asked.name}`,
  })
  const candidates = slices.items.flatMap((slice) => {
    const port = (slice.ports ?? []).find(({ name }) => (name ?? '') === (found.name ?? ''))?.port
    const ready = (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)
    return port === undefined
      ? []
      : ready.map(({ addresses, nodeName }) => ({
          host: addresses[0] === undefined ? undefined : standardAddress(addresses[0]),
          port,
          nodeName,
        }))
  })
  const chosen = candidates[Math.floor(fraction(random) * candidates.length)]
  if (chosen?.host === undefined) {
    throw new ApiError('ServiceUnavailable', `no endpoints available for service "${asked.name}"`)
  }
  if (chosen.nodeName === undefined) {
    throw new ApiError('ServiceUnavailable', `endpoint ${chosen.host} of service "${asked.name}" is on no node`)
  }
  return { scheme: asked.scheme, host: chosen.host, port: chosen.port, nodeName: chosen.nodeName }
}
