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

/** The content of `10-aksel.conflist`: bridge `cbr0` as the pods' gateway, addresses by host-local, hostPorts by portmap. */
export function renderCniConfig(request: CniRequest): string {
  const bridge = {
    type: 'bridge',
    bridge: 'cbr0',
    isGateway: true,
    isDefaultGateway: true,
    // Pods keep their address towards the VNet; what leaves it is masqueraded by the node's service proxy.
    ipMasq: false,
    // A pod may reach itself through its own service.
    hairpinMode: true,
    mtu: request.mtu ?? 1500,
    ipam: { type: 'host-local', dataDir: request.dataDirectory, ranges: [[{ subnet: request.podCidr }]] },
  }
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true }
  return `${JSON.stringify({ cniVersion: '0.4.0', name: 'aksel', plugins: [bridge, portmap] }, null, 2)}\n`
}
