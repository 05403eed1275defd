// Pods get their network from the standard CNI plugins; this renders the configuration of one machine. All state lies
// in the machine's own folder, because several machines share this host's file system.

export interface CniRequest {
  /** The node's own range, `10.244.1.0/24`. */
  readonly podCidr: string
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
      ranges: [[{ subnet: request.podCidr }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  }
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true }
  return `${JSON.stringify({ cniVersion: '0.4.0', name: 'aksel', plugins: [link, portmap] }, null, 2)}\n`
}
