// LocalDNS as AKS has it: a caching proxy on the node itself, with rules for each zone. The words are those of the profile.

export const localDnsChoices = {
  queryLogging: ['Error', 'Log'],
  protocol: ['PreferUDP', 'ForceTCP'],
  forwardDestination: ['ClusterCoreDNS', 'VnetDNS'],
  forwardPolicy: ['Sequential', 'RoundRobin', 'Random'],
  serveStale: ['Verify', 'Immediate', 'Disable'],
} as const

export interface LocalDnsZone {
  /** `.` or `cluster.local`. */
  readonly zone: string
  readonly queryLogging: (typeof localDnsChoices.queryLogging)[number]
  readonly protocol: (typeof localDnsChoices.protocol)[number]
  readonly forwardDestination: (typeof localDnsChoices.forwardDestination)[number]
  readonly forwardPolicy: (typeof localDnsChoices.forwardPolicy)[number]
  readonly maxConcurrent: number
  readonly cacheDurationInSeconds: number
  readonly serveStaleDurationInSeconds: number
  readonly serveStale: (typeof localDnsChoices.serveStale)[number]
}

export interface LocalDnsConfig {
  /** For the kubelet, and for pods with the DNS policy Default. */
  readonly vnetDns: readonly LocalDnsZone[]
  /** For pods with the DNS policy ClusterFirst. */
  readonly kubeDns: readonly LocalDnsZone[]
}

/** The same on every node, as on AKS. */
export const localDnsAddresses = { vnetDns: '169.254.10.10', kubeDns: '169.254.10.11' } as const
