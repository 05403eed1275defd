// What is kept of each thing: the resource as a client wrote it, and beside it what only the service knows.

import type { JwtAuthenticatorProperties } from './resource-providers/container-service/jwt-authenticators.ts'
import type { ArmErrorBody } from '@aksel/base/errors'
import type { KeyRotations } from '@aksel/provider/cluster-engine'

export type Json = Readonly<Record<string, unknown>>
export type Tags = Readonly<Record<string, string>>

export interface SystemData {
  readonly createdBy: string
  readonly createdByType: 'Application'
  readonly createdAt: string
  readonly lastModifiedBy: string
  readonly lastModifiedByType: 'Application'
  readonly lastModifiedAt: string
}

/** What every kind of resource has in common. */
export interface Resource {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly location: string
  readonly tags?: Tags
}

/** State of a resource that an operation may be working on. */
export interface Progress {
  readonly provisioningState: string
  /** The operation in progress; absent when nothing is. */
  readonly operationId?: string
  /** Set once a delete was accepted; there is no way back. */
  readonly deleting?: boolean
  /** An abort was asked for: what is half done is put in order, and nothing new is begun. */
  readonly canceling?: boolean
  readonly error?: ArmErrorBody
}

export interface GroupRecord extends Resource {
  readonly kind: 'group'
  readonly managedBy?: string
  /** Where several servers share a store: the one whose host has the networks and machines of what lies in it. */
  readonly host?: string
  readonly progress: Progress
}

/** A resource that is kept as it was written: snapshots, and what the network is made of. */
export interface DocumentRecord extends Resource {
  readonly kind: 'document'
  readonly properties: Json
  readonly sku?: Json
  readonly zones?: readonly string[]
  /** Absent in a document that no operation ever worked on. */
  readonly progress?: Progress
}

export interface NetworkProfile {
  readonly networkPlugin: string
  readonly serviceCidr: string
  readonly dnsServiceIP: string
  readonly podCidr?: string
  readonly [name: string]: unknown
}

/** The properties that the service reads; all others are kept as they came. */
export interface ClusterProperties {
  readonly kubernetesVersion: string
  readonly dnsPrefix: string
  readonly nodeResourceGroup: string
  readonly networkProfile: NetworkProfile
  readonly [name: string]: unknown
}

/** What a cluster was made of, where it did not begin empty. */
export type ClusterOrigin =
  | { readonly kind: 'archive'; readonly file: string }
  /** `of`: the engine's name of the cluster that it is a copy of. */
  | { readonly kind: 'fork'; readonly of: string; readonly clockOffsetMs: number }

export interface ClusterRecord extends Resource {
  readonly kind: 'cluster'
  /** The subnet of the user's own that its first pool was given; absent where the service made the network. */
  readonly subnetId?: string
  readonly origin?: ClusterOrigin
  readonly sku: Json
  readonly identity?: Json
  /** Envelope fields that are kept as they came: `extendedLocation`, `kind`. */
  readonly envelope: Json
  readonly properties: ClusterProperties
  readonly systemData: SystemData
  readonly eTag: string
  /** 24 hexadecimal digits; names of nodes and networks derive from it. */
  readonly uid: string
  readonly fqdn: string
  /** Stopped: objects are kept, nothing is served, no machine runs. */
  readonly power?: 'Stopped'
  /** The full version that runs: `1.35.7`. */
  readonly version: string
  readonly principalId?: string
  readonly kubeletIdentity?: Json
  /** How often its keys were ordered anew; absent: never. */
  readonly rotations?: KeyRotations
  /** Paths of properties that are kept and read back, and change nothing here. */
  readonly recorded: readonly string[]
  readonly progress: Progress
}

export interface PoolProperties {
  readonly count: number
  readonly vmSize: string
  readonly mode: string
  readonly osType: string
  readonly osSKU: string
  readonly workloadRuntime?: string
  readonly maxPods: number
  readonly orchestratorVersion: string
  readonly nodeLabels?: Tags
  readonly nodeTaints?: readonly string[]
  readonly availabilityZones?: readonly string[]
  readonly upgradeSettings?: Json
  readonly [name: string]: unknown
}

/** What a node runs. */
export interface NodeVersions {
  /** `1.35.7`. */
  readonly kubernetes: string
  /** `AKSUbuntu-2404gen2containerd-202611.23.0`. */
  readonly image: string
}

/** Machines are being brought from one pair of versions to another, or were until that failed or was aborted. */
export interface PoolUpgrade {
  readonly from: NodeVersions
  /** What machines were made with besides, as `bootOf` tells; absent in records from before that could change. */
  readonly fromBoot?: string
  /** Blue-green: when the last batch of old nodes was drained, milliseconds since 1970. */
  readonly finalSoakSinceMs?: number
}

export interface PoolRecord {
  readonly kind: 'pool'
  readonly id: string
  readonly name: string
  readonly clusterId: string
  readonly properties: PoolProperties
  readonly tags?: Tags
  readonly eTag: string
  /** Hollow nodes instead of machines; decided when the pool is created. */
  readonly simulated: boolean
  readonly version: string
  readonly nodeImageVersion: string
  /** Absent once every machine has the versions above. */
  readonly upgrade?: PoolUpgrade
  /** What it had before, newest first. */
  readonly recentlyUsed?: readonly (NodeVersions & { readonly atMs: number })[]
  /** Stopped: its machines are deallocated, and their nodes not Ready. */
  readonly power?: 'Stopped'
  /** The number of the next machine; numbers are never used twice. */
  readonly nextInstance: number
  /** User-assigned identities that its scale set was given besides the kubelet's. */
  readonly identities?: readonly string[]
  /** A delete was asked to go ahead in spite of disruption budgets. */
  readonly ignoreDisruptionBudgets?: boolean
  readonly recorded: readonly string[]
  readonly progress: Progress
}

export interface JwtAuthenticatorRecord {
  readonly kind: 'jwtAuthenticator'
  readonly id: string
  readonly name: string
  readonly clusterId: string
  readonly properties: JwtAuthenticatorProperties
  readonly systemData: SystemData
  readonly progress: Progress
}

/** What lies below a cluster as resources of its own, each kind in a collection. */
export const clusterChildCollections = ['managedNamespaces', 'trustedAccessRoleBindings', 'identityBindings'] as const
export type ClusterChildCollection = (typeof clusterChildCollections)[number]

export interface ClusterChildRecord {
  readonly kind: 'clusterChild'
  readonly collection: ClusterChildCollection
  readonly id: string
  readonly name: string
  readonly clusterId: string
  readonly location?: string
  readonly tags?: Tags
  readonly properties: Json
  readonly systemData: SystemData
  readonly eTag: string
  readonly progress: Progress
}

export interface CommandResult {
  readonly provisioningState: 'Succeeded' | 'Failed'
  readonly exitCode?: number
  readonly startedAt?: string
  readonly finishedAt?: string
  readonly logs?: string
  /** Why it was not run. */
  readonly reason?: string
}

/** A command that was run inside a cluster. */
export interface CommandRecord {
  readonly kind: 'command'
  readonly id: string
  readonly clusterId: string
  /** Milliseconds since 1970. */
  readonly orderedAtMs: number
  /** Absent while it runs. */
  readonly result?: CommandResult
}

export const machineSteps = ['Draining', 'Soaking', 'Reimaging', 'Drained'] as const

export interface MachineStep {
  readonly kind: (typeof machineSteps)[number]
  /** Milliseconds since 1970. */
  readonly sinceMs: number
}

export interface MachineRecord {
  readonly kind: 'machine'
  readonly name: string
  readonly clusterId: string
  readonly pool: string
  readonly instance: number
  readonly zone?: string
  /** In pools of mixed sizes; absent: the pool's. */
  readonly vmSize?: string
  /** It was told to go for the sake of the spot market. */
  readonly eviction?: {
    /** Milliseconds since 1970. */
    readonly sinceMs: number
    readonly why: string
    /** It stands still since. */
    readonly done?: boolean
  }
  readonly podCidr: string
  /** Labels and taints of the pool that this machine's node was last given. */
  readonly labels: Tags
  readonly taints: readonly string[]
  /** What it was made with; absent in records that are older than upgrades. */
  readonly versions?: NodeVersions
  /** What it was made with besides, as `bootOf` tells; absent: what its pool had before its upgrade. */
  readonly boot?: string
  /** Rotations of the cluster's certificates that it was made after; absent: none. */
  readonly certificates?: number
  /** It is there for the time of an upgrade only. */
  readonly surge?: boolean
  /** It was told to go by name: nobody drains it. */
  readonly undrained?: boolean
  /** Where its own upgrade stands. */
  readonly step?: MachineStep
  /** The operation in which it could not be drained: it stays cordoned, as it was. */
  readonly quarantinedBy?: string
  /** Milliseconds since 1970 when it was told to leave; absent while it is wanted. */
  readonly leavingSinceMs?: number
}

/** One resource of a deployment, as its operations tell of it. */
export interface DeploymentStep {
  readonly id: string
  readonly kind: 'Create' | 'Read' | 'Delete'
  readonly resourceId: string
  readonly resourceType: string
  readonly resourceName: string
  readonly symbol?: string
  readonly state: 'Running' | 'Succeeded' | 'Failed' | 'Canceled'
  readonly startTime: string
  readonly endTime?: string
  /** HTTP status of the provider's answer. */
  readonly status?: number
  readonly error?: ArmErrorBody
}

export interface DeploymentRecord {
  readonly kind: 'deployment'
  readonly id: string
  readonly name: string
  /** The group or subscription that is deployed to. */
  readonly scopeId: string
  readonly location?: string
  readonly tags?: Tags
  readonly mode: 'Incremental' | 'Complete'
  readonly template: unknown
  /** Where the template came from, where it was not sent itself. */
  readonly templateLink?: Json
  /** As they were given, while the deployment runs; afterwards those that are no secrets. */
  readonly parameters: Json
  readonly correlationId: string
  readonly origin: string
  readonly caller: { readonly clientId: string; readonly objectId: string; readonly tenantId: string }
  /** Milliseconds since 1970. */
  readonly startedMs: number
  readonly endedMs?: number
  /** What its body tells of the template: parameters, providers, dependencies, hash. */
  readonly shown: Json
  readonly steps: readonly DeploymentStep[]
  readonly outputs?: Json
  readonly outputResources?: readonly { readonly id: string }[]
  readonly progress: Progress
}

export type ProvisionedRecord = GroupRecord | ClusterRecord | PoolRecord

export const operationStatuses = ['InProgress', 'Succeeded', 'Failed', 'Canceled'] as const
export type OperationStatus = (typeof operationStatuses)[number]

export interface OperationRecord {
  readonly id: string
  readonly subscriptionId: string
  readonly location: string
  /** The resource worked on. */
  readonly resourceId: string
  /** What a Location of this operation answers in the end. */
  readonly outcome: 'resource' | 'nothing'
  readonly status: OperationStatus
  readonly startTime: string
  readonly endTime?: string
  readonly error?: ArmErrorBody
}
