// Pods get their network from the standard CNI plugins; this renders the configuration of one machine. All state lies
// in the machine's own folder, because several machines share this host's file system.

import { addressAt, formatAddress, parseAddress, parseRange } from '@aksel/base/ipv4'

export interface CniRequest {
  /** The node's own range, `10.244.1.0/24`, or the addresses of a subnet that are the node's. */
  readonly pods: string | { readonly subnet: string; readonly addresses: readonly string[] }
  /** The node's range of IPv6, where its pods have addresses of both families. */
  readonly ipv6Pods?: string
  /** Folder for address leases, below the machine's directory. */
  readonly dataDirectory: string
  /** Bytes; 1500 when absent. */
  readonly mtu?: number
}

/**
 * The content of `10-aksel.conflist`: a routed link per pod, addresses by host-local, hostPorts by portmap. Routed and not
 * bridged (`ptp`, as Azure's overlay does it): an answer from a pod to its neighbour then always passes the node, where the
 * translation of a service's address is taken back; on a bridge that needs br_netfilter, which not every host has.
 */
export function renderCniConfig(request: CniRequest): string {
  const link = {
    type: 'ptp',
    // Pods keep their address within the cluster; what leaves it is masqueraded by the node's service proxy.
    ipMasq: false,
    mtu: request.mtu ?? 1500,
    ipam: {
      type: 'host-local',
      dataDir: request.dataDirectory,
      ranges: [
        typeof request.pods === 'string' ? [{ subnet: request.pods }] : rangesOf(request.pods),
        ...(request.ipv6Pods === undefined ? [] : [[{ subnet: request.ipv6Pods }]]),
      ],
      routes: [{ dst: '0.0.0.0/0' }, ...(request.ipv6Pods === undefined ? [] : [{ dst: '::/0' }])],
    },
  }
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true }
  const before = request.ipv6Pods === undefined ? [] : withoutDuplicates
  return `${JSON.stringify({ cniVersion: '0.4.0', name: 'aksel', plugins: [...before, link, portmap] }, null, 2)}\n`
}

/**
 * Before the pod's link is made: its addresses are nobody else's, and asking whether they are takes a second or two. The first one is
 * there because `tuning` wants to follow another plugin; it brings up the pod's loopback, which is to be up anyway.
 */
const withoutDuplicates = [
  { type: 'loopback' },
  { type: 'tuning', sysctl: { 'net.ipv6.conf.default.accept_dad': '0' } },
]

/** Neighbouring addresses joined. The gateway is the link's other end: the subnet's third address, which Azure keeps, and nobody has. */
function rangesOf({ subnet, addresses }: Exclude<CniRequest['pods'], string>): readonly unknown[] {
  const values = addresses.map(parseAddress).toSorted((left, right) => left - right)
  const gateway = addressAt(parseRange(subnet), 2)
  const runs: { first: number; last: number }[] = []
  for (const value of values) {
    const run = runs.at(-1)
    if (run !== undefined && value === run.last + 1) run.last = value
    else runs.push({ first: value, last: value })
  }
  return runs.map(({ first, last }) => ({
    subnet,
    rangeStart: formatAddress(first),
    rangeEnd: formatAddress(last),
    gateway,
  }))
}
