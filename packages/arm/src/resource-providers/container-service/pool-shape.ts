// The types of an agent pool's properties, as the newest stable version and Azure's own SDK have them. What is not listed is
// kept as it comes.

import type { Shape } from './shape.ts'
import { fields, list, map } from './shape-parts.ts'

export const poolShape: Shape = fields({
  count: 'int',
  vmSize: 'string',
  osDiskSizeGB: 'int',
  osDiskType: 'string',
  kubeletDiskType: 'string',
  workloadRuntime: 'string',
  messageOfTheDay: 'string',
  vnetSubnetID: 'string',
  podSubnetID: 'string',
  podIPAllocationMode: 'string',
  maxPods: 'int',
  osType: 'string',
  osSKU: 'string',
  maxCount: 'int',
  minCount: 'int',
  enableAutoScaling: 'bool',
  scaleDownMode: 'string',
  type: 'string',
  mode: 'string',
  orchestratorVersion: 'string',
  nodeImageVersion: 'string',
  upgradeSettings: fields({
    maxSurge: 'string',
    maxUnavailable: 'string',
    drainTimeoutInMinutes: 'int',
    nodeSoakDurationInMinutes: 'int',
    undrainableNodeBehavior: 'string',
  }),
  powerState: fields({
    code: 'string',
  }),
  availabilityZones: list('string'),
  enableNodePublicIP: 'bool',
  nodePublicIPPrefixID: 'string',
  scaleSetPriority: 'string',
  scaleSetEvictionPolicy: 'string',
  spotMaxPrice: 'number',
  tags: map('string'),
  nodeLabels: map('string'),
  nodeTaints: list('string'),
  proximityPlacementGroupID: 'string',
  kubeletConfig: fields({
    cpuManagerPolicy: 'string',
    cpuCfsQuota: 'bool',
    cpuCfsQuotaPeriod: 'string',
    imageGcHighThreshold: 'int',
    imageGcLowThreshold: 'int',
    topologyManagerPolicy: 'string',
    allowedUnsafeSysctls: list('string'),
    failSwapOn: 'bool',
    containerLogMaxSizeMB: 'int',
    containerLogMaxFiles: 'int',
    podMaxPids: 'int',
  }),
  linuxOSConfig: fields({
    sysctls: fields({
      netCoreSomaxconn: 'int',
      netCoreNetdevMaxBacklog: 'int',
      netCoreRmemDefault: 'int',
      netCoreRmemMax: 'int',
      netCoreWmemDefault: 'int',
      netCoreWmemMax: 'int',
      netCoreOptmemMax: 'int',
      netIpv4TcpMaxSynBacklog: 'int',
      netIpv4TcpMaxTwBuckets: 'int',
      netIpv4TcpFinTimeout: 'int',
      netIpv4TcpKeepaliveTime: 'int',
      netIpv4TcpKeepaliveProbes: 'int',
      netIpv4TcpkeepaliveIntvl: 'int',
      netIpv4TcpTwReuse: 'bool',
      netIpv4IpLocalPortRange: 'string',
      netIpv4NeighDefaultGcThresh1: 'int',
      netIpv4NeighDefaultGcThresh2: 'int',
      netIpv4NeighDefaultGcThresh3: 'int',
      netNetfilterNfConntrackMax: 'int',
      netNetfilterNfConntrackBuckets: 'int',
      fsInotifyMaxUserWatches: 'int',
      fsFileMax: 'int',
      fsAioMaxNr: 'int',
      fsNrOpen: 'int',
      kernelThreadsMax: 'int',
      vmMaxMapCount: 'int',
      vmSwappiness: 'int',
      vmVfsCachePressure: 'int',
    }),
    transparentHugePageEnabled: 'string',
    transparentHugePageDefrag: 'string',
    swapFileSizeMB: 'int',
  }),
  enableEncryptionAtHost: 'bool',
  enableUltraSSD: 'bool',
  enableFIPS: 'bool',
  gpuInstanceProfile: 'string',
  creationData: fields({
    sourceResourceId: 'string',
  }),
  capacityReservationGroupID: 'string',
  hostGroupID: 'string',
  networkProfile: fields({
    nodePublicIPTags: list(
      fields({
        ipTagType: 'string',
        tag: 'string',
      }),
    ),
    allowedHostPorts: list(
      fields({
        portStart: 'int',
        portEnd: 'int',
        protocol: 'string',
      }),
    ),
    applicationSecurityGroups: list('string'),
    dranet: fields({
      mode: 'string',
    }),
  }),
  windowsProfile: fields({
    disableOutboundNat: 'bool',
  }),
  securityProfile: fields({
    enableVTPM: 'bool',
    enableSecureBoot: 'bool',
    sshAccess: 'string',
  }),
  gpuProfile: fields({
    driver: 'string',
  }),
  gatewayProfile: fields({
    publicIPPrefixSize: 'int',
  }),
  artifactStreamingProfile: fields({
    enabled: 'bool',
  }),
  virtualMachinesProfile: fields({
    scale: fields({
      manual: list(
        fields({
          size: 'string',
          count: 'int',
        }),
      ),
      autoscale: list(
        fields({
          size: 'string',
          minCount: 'int',
          maxCount: 'int',
        }),
      ),
    }),
  }),
  virtualMachineNodesStatus: list(
    fields({
      size: 'string',
      count: 'int',
    }),
  ),
  status: 'any',
  localDNSProfile: fields({
    mode: 'string',
    vnetDNSOverrides: map(
      fields({
        queryLogging: 'string',
        protocol: 'string',
        forwardDestination: 'string',
        forwardPolicy: 'string',
        maxConcurrent: 'int',
        cacheDurationInSeconds: 'int',
        serveStaleDurationInSeconds: 'int',
        serveStale: 'string',
      }),
    ),
    kubeDNSOverrides: map(
      fields({
        queryLogging: 'string',
        protocol: 'string',
        forwardDestination: 'string',
        forwardPolicy: 'string',
        maxConcurrent: 'int',
        cacheDurationInSeconds: 'int',
        serveStaleDurationInSeconds: 'int',
        serveStale: 'string',
      }),
    ),
  }),
  name: 'string',
  // Of previews.
  upgradeStrategy: 'string',
  upgradeSettingsBlueGreen: fields({
    drainBatchSize: 'string',
    drainTimeoutInMinutes: 'int',
    batchSoakDurationInMinutes: 'int',
    finalSoakDurationInMinutes: 'int',
  }),
})
