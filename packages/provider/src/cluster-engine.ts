// The seam between the AKS resource provider and a control plane. What sits above it talks to a cluster only through
// the Kubernetes API and this interface.

import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { Client } from '@aksel/client/client'
import type { Scope } from '@aksel/base/scope'
import type { EntraProfile } from './entra.ts'

export interface ControlPlaneSpec {
  /** Unique on this server and stable: the managed cluster's resource id in lower case. */
  readonly id: string
  /** For names people see in a kubeconfig: the managed cluster's name. */
  readonly name: string
  /** `1.35.7`. */
  readonly kubernetesVersion: string
  /** `10.0.0.0/16`. */
  readonly serviceCidr: string
  readonly dnsServiceIp: string
  /** The range that nodes get their pod ranges out of, a /24 each. Absent: none are given to nodes that bring none. */
  readonly podCidr?: string
  /** Ranges of the other family, where services and nodes are to have addresses of both. */
  readonly secondaryServiceCidr?: string
  readonly secondaryPodCidr?: string
  /** Host name of the API server in its certificate, besides the addresses. */
  readonly fqdn: string
  /** Further names of it in its certificate. */
  readonly aliases?: readonly string[]
  /** Address on the fabric that nodes and pods reach the API server at, if there is a fabric. */
  readonly fabricAddress?: string
}

/** How often the keys of a control plane have been made anew. */
export interface KeyRotations {
  /** Authority, certificates and signing key: nobody who knew the old ones comes in. */
  readonly certificates: number
  /** The key that signs tokens of service accounts alone; tokens of the one before are believed for a day. */
  readonly signingKeys: number
}

export const noRotations: KeyRotations = { certificates: 0, signingKeys: 0 }

/** Who reaches the API server from outside its network. Whoever is inside, nodes and pods, always does. */
export interface ApiAccess {
  /** Nobody. */
  readonly private: boolean
  /** These IPv4 ranges and addresses; everybody where there are none. */
  readonly authorizedRanges: readonly string[]
}

export const openAccess: ApiAccess = { private: false, authorizedRanges: [] }

export const controlPlaneStates = ['Running', 'Stopped'] as const
export type ControlPlaneState = (typeof controlPlaneStates)[number]

export interface ControlPlaneStatus {
  readonly id: string
  readonly state: ControlPlaneState
  readonly kubernetesVersion: string
  readonly rotations: KeyRotations
  readonly access: ApiAccess
  /** Absent: the directory means nothing to it. */
  readonly entra?: EntraProfile
  /** `https://127.7.0.1:443`: where clients on this host reach it. */
  readonly localUrl: string
  /** `https://100.64.0.10:443`: where nodes reach it; the local URL when there is no fabric. */
  readonly nodeUrl: string
  /** Unix socket that node agents dial for the tunnel. */
  readonly tunnelSocket: string
  /** PEM. */
  readonly certificateAuthority: string
  /** Why it does not answer although it should; it is tried again by itself. Absent where all is well. */
  readonly failure?: string
}

/** Somebody wrote through an API version that goes away. Reads do not count. */
export interface DeprecatedUse {
  readonly group: string
  readonly version: string
  /** `cronjobs`. */
  readonly resource: string
  /** The minor that no longer serves it: `1.35`. */
  readonly removedIn: string
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number
}

export const credentialRoles = ['admin', 'user'] as const
export type CredentialRole = (typeof credentialRoles)[number]

/** What a machine needs to register as a node. */
export interface NodeCredentials {
  /** A kubeconfig with a bootstrap token, by which the machine asks for its node's certificate. */
  readonly kubeconfig: string
}

export interface ClusterEngine {
  /** Makes the control plane, or finds it made already; resolves when it answers. Idempotent by id. */
  create(scope: Scope, spec: ControlPlaneSpec): Promise<ControlPlaneStatus>
  status(id: string): ControlPlaneStatus | undefined
  /** Objects are kept, nothing is served and no loop runs. */
  stop(scope: Scope, id: string): Promise<void>
  start(scope: Scope, id: string): Promise<ControlPlaneStatus>
  /** Another Kubernetes version from now on: objects and addresses stay, open watches end and are begun anew. Idempotent. */
  upgrade(scope: Scope, id: string, kubernetesVersion: string): Promise<ControlPlaneStatus>
  /** Has keys made anew until so many rotations are behind it; objects and addresses stay, watches are begun anew. Idempotent. */
  rotateKeys(scope: Scope, id: string, rotations: KeyRotations): Promise<ControlPlaneStatus>
  /** From now on and after every restart; connections that may no longer be are ended. Idempotent. */
  restrictAccess(scope: Scope, id: string, access: ApiAccess): Promise<ControlPlaneStatus>
  /** What the directory means to the cluster, from the next request on and after every restart. Idempotent. */
  configureEntra(scope: Scope, id: string, profile: EntraProfile | undefined): Promise<ControlPlaneStatus>
  /** What was written through API versions that a later minor no longer serves, and when last; remembered over restarts. */
  deprecatedUses(id: string): readonly DeprecatedUse[]
  /** Idempotent; data is gone afterwards. */
  delete(scope: Scope, id: string): Promise<void>
  /** JSON web keys, each with its `kid`: what checks the tokens of the cluster's service accounts. Those that retired are among them while they are believed. */
  tokenKeys(id: string): readonly Readonly<Record<string, unknown>>[]
  /** A kubeconfig in YAML. */
  kubeconfig(id: string, role: CredentialRole): Promise<string>
  nodeCredentials(
    id: string,
    node: { readonly name: string; readonly addresses: readonly string[] },
  ): Promise<NodeCredentials>
  /** What is wrong with a configuration, a sentence each; empty for one that may be put in force. */
  authenticationFaults(id: string, configuration: AuthenticationConfiguration): readonly string[]
  /** Whose tokens are believed besides the cluster's own, from now on and after every restart. Idempotent; rejects what has faults. */
  configureAuthentication(scope: Scope, id: string, configuration: AuthenticationConfiguration): Promise<void>
  /** A client with the rights of a cluster administrator. */
  client(id: string): Client
}
