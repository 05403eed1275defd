// Packets of a cluster that its VNet's security rules or routes drop, told on the pod, node or service whose packets they were.

import { once } from 'node:events'
import { nodes, pods, services } from '@aksel/api/resources'
import type { Node, ObjectReference, Pod, Service } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { DropNews, Fabric } from '@aksel/provider/fabric'
import type { Cache, Caches } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'

export interface DropParts {
  /** May write events of every namespace. */
  readonly client: Client
  readonly caches: Caches
}

export interface TellDropsOptions extends DropParts {
  readonly fabric: Pick<Fabric, 'onDrop'>
  /** The VNet of the cluster's nodes, once it is known. */
  readonly virtualNetworkId: () => string | undefined
}

const SOURCE = 'azure-network'

/** Until the scope's signal. */
export async function tellDrops(scope: Scope, options: TellDropsOptions): Promise<void> {
  const { client, fabric, virtualNetworkId } = options
  const { caches } = options
  const known = { pods: caches.of(pods), nodes: caches.of(nodes), services: caches.of(services) }
  using _listening = fabric.onDrop((news) => {
    if (news.virtualNetworkId !== virtualNetworkId()) return
    const about = concerned(known, news)
    if (about === undefined) return
    const { reason, message } = wordsOf(news)
    void recordEvent(scope, client, { about, type: 'Warning', reason, message, source: SOURCE })
  })
  if (!scope.signal.aborted) await once(scope.signal, 'abort')
}

/** Whose rules judged: the receiver of what comes in, the sender of what goes out; else the other end; else nobody of the cluster. */
function concerned(
  known: { readonly pods: Cache<Pod>; readonly nodes: Cache<Node>; readonly services: Cache<Service> },
  { direction, source, destination }: DropNews,
): ObjectReference | undefined {
  const ends = direction === 'Inbound' ? [destination, source] : [source, destination]
  for (const address of ends) {
    const node = known.nodes.list().find(({ status }) => status?.addresses?.some((each) => each.address === address))
    if (node !== undefined) return referenceTo(nodes, node)
    const pod = known.pods.list().find(({ status }) => status?.podIP === address && isRunning(status.phase))
    if (pod !== undefined) return referenceTo(pods, pod)
    // With floating IP packets arrive at the node with the load balancer's address.
    const service = known.services.list().find((each) => frontendsOf(each).includes(address))
    if (service !== undefined) return referenceTo(services, service)
  }
  return undefined
}

function frontendsOf({ status }: Service): readonly (string | undefined)[] {
  return status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? []
}

/** What has ended has given its address back. */
function isRunning(phase: string | undefined): boolean {
  return phase !== 'Succeeded' && phase !== 'Failed'
}

/** The same words for the same packets, so that an event is counted and not repeated. */
function wordsOf(news: DropNews): { readonly reason: string; readonly message: string } {
  const { rule, direction, source, destination, destinationPort, protocol } = news
  const port = destinationPort === undefined ? '' : `:${destinationPort}`
  const packets = `${protocol} from ${source} to ${destination}${port}`
  const subnet = `subnet "${news.subnetId.split('/').at(-1)}"`
  if (news.noRoute !== undefined) {
    const { route } = news.noRoute
    const message =
      route === undefined
        ? `Packets were dropped: ${packets} has no route: the route table of ${subnet} has none to the pods of ${destination}, no route to host`
        : `Packets were dropped: ${packets} follows route "${route.name}" of the route table of ${subnet}, whose next hop ${route.nextHop} leads nowhere, no route to host`
    return { reason: 'RouteMissing', message }
  }
  if (rule === undefined) {
    const message = `Packets were dropped: ${packets} may not leave ${subnet}, whose cluster has the outbound type none`
    return { reason: 'OutboundTypeNone', message }
  }
  const message = `Packets were dropped: ${packets} is denied by security rule "${rule}" (${direction}) of the network security group of ${subnet}`
  return { reason: 'NetworkSecurityGroupDenied', message }
}
