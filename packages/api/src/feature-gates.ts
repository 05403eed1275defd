// Feature gates that decide which fields an API server keeps: their state in each minor, as upstream ships them.

import type { Minor } from './tables.ts'

/**
 * `A` alpha, `B` beta, `G` general, `D` deprecated; `+` on, `-` off. Alphas are off. `X`: a rule that this minor does not have
 * yet. Absent: the minor does not know the gate, and what it guards elsewhere is not in the minor's tables.
 */
type State = 'A-' | 'B-' | 'B+' | 'G+' | 'D-' | 'X-'

type PerMinor = readonly [in134: State | undefined, in135: State | undefined, in136: State | undefined]

/** As `--help` of upstream's servers of each minor lists them; what they no longer list is general. */
const gates: Readonly<Record<string, PerMinor>> = {
  CRDObservedGenerationTracking: [undefined, 'B-', 'B+'],
  CRDValidationRatcheting: ['G+', 'G+', 'G+'],
  CSIServiceAccountTokenSecrets: [undefined, 'B+', 'G+'],
  CSIStorageCapacity: ['G+', 'G+', 'G+'],
  ClusterTrustBundle: ['B-', 'B-', 'B-'],
  ClusterTrustBundleProjection: ['B-', 'B-', 'B-'],
  ConstrainedImpersonation: ['X-', 'A-', 'B+'],
  ContainerRestartRules: ['A-', 'B+', 'B+'],
  ContainerStopSignals: ['A-', 'A-', 'A-'],
  CoordinatedLeaderElection: ['B-', 'B-', 'B-'],
  CrossNamespaceVolumeDataSource: ['A-', 'A-', 'A-'],
  CustomResourceFieldSelectors: ['G+', 'G+', 'G+'],
  DRAAdminAccess: ['B+', 'B+', 'G+'],
  DRAConsumableCapacity: ['A-', 'A-', 'B+'],
  DRADeviceBindingConditions: ['A-', 'A-', 'B+'],
  DRADeviceTaintRules: ['X-', 'A-', 'B-'],
  DRADeviceTaints: ['A-', 'A-', 'B+'],
  DRAExtendedResource: ['A-', 'A-', 'B+'],
  DRAListTypeAttributes: [undefined, undefined, 'A-'],
  DRANodeAllocatableResources: [undefined, undefined, 'A-'],
  DRAPartitionableDevices: ['A-', 'A-', 'B+'],
  DRAPrioritizedList: ['B+', 'B+', 'G+'],
  DRAResourceClaimDeviceStatus: ['B+', 'B+', 'B+'],
  DRAWorkloadResourceClaims: [undefined, undefined, 'A-'],
  DynamicResourceAllocation: ['G+', 'G+', 'G+'],
  EnvFiles: ['A-', 'B+', 'B+'],
  GenericWorkload: [undefined, 'A-', 'A-'],
  HPAConfigurableTolerance: ['A-', 'B+', 'B+'],
  HPAScaleToZero: ['A-', 'A-', 'A-'],
  HostnameOverride: ['A-', 'B+', 'B+'],
  ImageVolume: ['B-', 'B+', 'G+'],
  ImageVolumeWithDigest: [undefined, undefined, 'A-'],
  InPlacePodLevelResourcesVerticalScaling: ['X-', 'A-', 'B+'],
  InPlacePodVerticalScaling: ['B+', 'G+', 'G+'],
  InPlacePodVerticalScalingAllocatedStatus: ['D-', 'D-', 'D-'],
  MaxUnavailableStatefulSet: ['A-', 'B+', 'B-'],
  MutableCSINodeAllocatableCount: ['B-', 'B+', 'G+'],
  MutablePVNodeAffinity: ['X-', 'A-', 'A-'],
  MutablePodResourcesForSuspendedJobs: ['X-', 'A-', 'B+'],
  MutableSchedulingDirectivesForSuspendedJobs: ['X-', 'A-', 'B+'],
  MutatingAdmissionPolicy: ['B-', 'B-', 'G+'],
  NodeDeclaredFeatures: [undefined, 'A-', 'B+'],
  PodCertificateRequest: ['A-', 'B-', 'B-'],
  PodLevelResources: ['B+', 'B+', 'B+'],
  PodLifecycleSleepAction: ['G+', 'G+', 'G+'],
  PodLogsQuerySplitStreams: ['A-', 'A-', 'A-'],
  PodObservedGenerationTracking: ['B+', 'G+', 'G+'],
  PodTopologyLabelsAdmission: ['A-', 'B+', 'B+'],
  RecoverVolumeExpansionFailure: ['G+', 'G+', 'G+'],
  RecursiveReadOnlyMounts: ['G+', 'G+', 'G+'],
  RelaxedServiceNameValidation: ['A-', 'A-', 'B+'],
  ResourceHealthStatus: ['A-', 'A-', 'B+'],
  ResourceHealthStatusMessage: [undefined, undefined, 'B+'],
  RestartAllContainersOnContainerExits: ['X-', 'A-', 'B+'],
  SELinuxChangePolicy: ['B+', 'B+', 'G+'],
  SELinuxMountReadWriteOncePod: ['B+', 'B+', 'G+'],
  ServiceTrafficDistribution: ['G+', 'G+', 'G+'],
  ShardedListAndWatch: [undefined, undefined, 'A-'],
  SidecarContainers: ['G+', 'G+', 'G+'],
  StorageVersionAPI: ['A-', 'A-', 'A-'],
  StorageVersionMigrator: ['A-', 'B-', 'B-'],
  StrictIPCIDRValidation: ['A-', 'A-', 'B+'],
  SupplementalGroupsPolicy: ['B+', 'G+', 'G+'],
  TaintTolerationComparisonOperators: ['X-', 'A-', 'A-'],
  TopologyAwareHints: ['G+', 'G+', 'G+'],
  TopologyAwareWorkloadScheduling: [undefined, undefined, 'A-'],
  UserNamespacesHostNetworkSupport: ['X-', 'A-', 'A-'],
  UserNamespacesSupport: ['B+', 'B+', 'G+'],
  VolumeAttributesClass: ['G+', 'G+', 'G+'],
  VolumeLimitScaling: [undefined, 'A-', 'A-'],
  WorkloadAwarePreemption: [undefined, undefined, 'A-'],
}

const places: Readonly<Record<Minor, 0 | 1 | 2>> = { '1.34': 0, '1.35': 1, '1.36': 2 }

/** Does a gate let its fields and kinds through? One per server. */
export type FeatureGates = (name: string) => boolean

/**
 * The gates of a minor; `overrides` by upstream's names, `AllAlpha` and `AllBeta` among them, the exact name winning.
 * A gate that the minor does not know guards nothing: it is on. Throws for names that no minor knows.
 */
export function featureGatesOf(minor: Minor, overrides: Readonly<Record<string, boolean>> = {}): FeatureGates {
  checkGateNames(Object.keys(overrides))
  const locked = Object.keys(overrides).find((name) => overrides[name] === false && stateOf(name, minor) === 'G+')
  if (locked !== undefined) throw new Error(`cannot set feature gate ${locked} to false, feature is locked to true`)
  return (asked) => {
    const name = gateOfField[asked] ?? asked
    const state = stateOf(name, minor)
    if (state === undefined) return true
    if (state === 'X-') return false
    const stage = state[0] === 'A' ? overrides['AllAlpha'] : state[0] === 'B' ? overrides['AllBeta'] : undefined
    return overrides[name] ?? stage ?? state.endsWith('+')
  }
}

/** Throws for names that no minor knows, in upstream's words. */
export function checkGateNames(names: readonly string[]): void {
  const unknown = names.find((name) => !Object.hasOwn(gates, name) && !/^All(Alpha|Beta)$/.test(name))
  if (unknown !== undefined) throw new Error(`unrecognized feature gate: ${unknown}`)
}

/** Fields name a gate that upstream never had by that name. */
const gateOfField: Readonly<Record<string, string>> = { PodCertificateProjection: 'PodCertificateRequest' }

function stateOf(name: string, minor: Minor): State | undefined {
  return Object.hasOwn(gates, name) ? gates[name]![places[minor]] : undefined
}

/** The gates of this minor with their state, for documents and metrics. */
export function knownGates(minor: Minor): readonly { readonly name: string; readonly stage: string }[] {
  const stages = { A: 'ALPHA', B: 'BETA', G: '', D: 'DEPRECATED' } as const
  return Object.keys(gates)
    .filter((name) => ![undefined, 'X-'].includes(stateOf(name, minor)))
    .map((name) => ({ name, stage: stages[stateOf(name, minor)![0] as keyof typeof stages] }))
}
