// The node's settings as upstream's kubelet shows them at `/configz`: fields of KubeletConfiguration with the values in force.

import type { KubeletConfig } from './kubelet-config.ts'

export interface NodeFacts {
  readonly nodeAddress: string
  readonly port: number
  readonly clusterDns: string
  readonly clusterDomain: string
  readonly maxPods: number
  readonly podCidr: string
  readonly cgroupRoot: string
  readonly resolvConfPath: string
}

/** What we have besides upstream's fields. */
const ownFields = new Set<keyof KubeletConfig>(['evictionMonitoringPeriod', 'imageGCPeriod'])

export function kubeletConfigz(config: KubeletConfig, facts: NodeFacts): object {
  const given = Object.fromEntries(
    Object.entries(config).filter(([name]) => !ownFields.has(name as keyof KubeletConfig)),
  )
  return {
    kubeletconfig: {
      enableServer: true,
      address: facts.nodeAddress,
      port: facts.port,
      authentication: { x509: {}, webhook: { enabled: true, cacheTTL: '2m0s' }, anonymous: { enabled: false } },
      authorization: { mode: 'Webhook', webhook: { cacheAuthorizedTTL: '5m0s', cacheUnauthorizedTTL: '30s' } },
      clusterDomain: facts.clusterDomain,
      clusterDNS: [facts.clusterDns],
      rotateCertificates: true,
      serverTLSBootstrap: true,
      nodeLeaseDurationSeconds: 40,
      cgroupRoot: facts.cgroupRoot,
      cgroupDriver: 'cgroupfs',
      cgroupsPerQOS: true,
      maxPods: facts.maxPods,
      podCIDR: facts.podCidr,
      resolvConf: facts.resolvConfPath,
      enforceNodeAllocatable: ['pods'],
      ...given,
    },
  }
}
