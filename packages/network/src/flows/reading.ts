// From one logged packet to the flows that Hubble would show for it: one at each of its ends that is a pod of this node.

import type { Directory } from './directory.ts'
import { hubbleFlow, type Direction, type Flow, type FlowFacts, type PolicyName } from './hubble.ts'
import type { LoggedPacket } from './nflog.ts'
import type { Conversation } from '../policy/allowed-by.ts'
import { readPacket, type Packet } from './packet.ts'
import { FORWARDED, NO_BACKEND } from './table.ts'

export interface ReadingOptions {
  readonly nodeName: string
  readonly directory: Directory
  /** The policies whose rules left nothing for the packet, by the name of the chain that dropped it. */
  readonly deniedBy: (chain: string) => readonly PolicyName[]
  /** The policies that let it into a pod of this node, or out of one; none where nothing restricts it. */
  readonly allowedBy: (direction: 'ingress' | 'egress', conversation: Conversation) => readonly PolicyName[]
  readonly uuid: () => string
}

export function flowsOf(logged: LoggedPacket, options: ReadingOptions): readonly Flow[] {
  const packet = readPacket(logged.payload)
  if (packet === undefined) return []
  const { directory, nodeName, uuid, deniedBy, allowedBy } = options
  const sourceService = directory.service(packet.source)
  const destinationService = directory.service(packet.destination)
  const { l4 } = packet
  const isSynAck = l4.kind === 'TCP' && l4.flags.includes('SYN') && l4.flags.includes('ACK')
  const common = {
    timeMs: logged.timeMs,
    nodeName,
    packet,
    source: directory.endpoint(packet.source),
    destination: directory.endpoint(packet.destination),
    isReply: packet.dns?.isResponse ?? isSynAck,
    ...(sourceService === undefined ? {} : { sourceService }),
    ...(destinationService === undefined ? {} : { destinationService }),
  }
  const made = (more: Pick<FlowFacts, 'verdict' | 'direction'> & Partial<FlowFacts>): Flow =>
    hubbleFlow({ ...common, ...more, uuid: uuid() })
  if (logged.prefix === NO_BACKEND) {
    return [made({ verdict: 'DROPPED', direction: 'EGRESS', dropReason: 'SERVICE_BACKEND_NOT_FOUND' })]
  }
  if (logged.prefix !== FORWARDED) {
    const direction: Direction = logged.prefix.includes('ingress') ? 'INGRESS' : 'EGRESS'
    return [made({ verdict: 'DROPPED', direction, dropReason: 'POLICY_DENIED', deniedBy: deniedBy(logged.prefix) })]
  }
  const directions: Direction[] = []
  if (directory.isLocalPod(packet.source)) directions.push('EGRESS')
  if (directory.isLocalPod(packet.destination)) directions.push('INGRESS')
  if (directions.length === 0) directions.push('TRAFFIC_DIRECTION_UNKNOWN')
  return directions.map((direction) => {
    // Answers belong to a conversation that was let pass the other way.
    if (common.isReply || direction === 'TRAFFIC_DIRECTION_UNKNOWN') return made({ verdict: 'FORWARDED', direction })
    const by = allowedBy(direction === 'INGRESS' ? 'ingress' : 'egress', conversationOf(packet))
    return made({ verdict: 'FORWARDED', direction, ...(by.length === 0 ? {} : { allowedBy: by }) })
  })
}

function conversationOf({ source, destination, l4 }: Packet): Conversation {
  if (l4.kind !== 'TCP' && l4.kind !== 'UDP' && l4.kind !== 'SCTP') return { source, destination }
  const protocol = ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[l4.kind]
  return { source, destination, to: { protocol, port: l4.destinationPort } }
}
