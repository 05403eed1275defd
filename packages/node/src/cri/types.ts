// The Container Runtime Interface as TypeScript: what the agent asks of a container runtime, and the shapes it gets.
// The simulation implements the same interface without containers.

/** Requests to a runtime. Rejects with a GrpcError; every call may be repeated. */
export interface ContainerRuntime {
  version(): Promise<RuntimeVersion>
  conditions(): Promise<readonly RuntimeCondition[]>
  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string): Promise<string>
  stopPodSandbox(id: string): Promise<void>
  removePodSandbox(id: string): Promise<void>
  podSandboxStatus(id: string): Promise<SandboxStatus>
  /** Undefined where the sandbox has none of its own, or is gone. */
  sandboxNamespace(id: string): Promise<string | undefined>
  /** How pods get their network; undefined where the runtime does not tell, or has no configuration yet. */
  network(): Promise<RuntimeNetwork | undefined>
  listPodSandboxes(labels?: Labels): Promise<readonly Sandbox[]>
  createContainer(sandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string>
  startContainer(id: string): Promise<void>
  /** Changes the bounds of a running container; what is absent stays. */
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>
  /** Sends the image's stop signal, waits, kills. Resolves when the container is down. */
  stopContainer(id: string, graceSeconds: number): Promise<void>
  removeContainer(id: string): Promise<void>
  listContainers(labels?: Labels): Promise<readonly ContainerEntry[]>
  containerStatus(id: string): Promise<ContainerStatusEntry>
  /** Of running containers; the layers' sizes are a few seconds old. */
  listContainerStats(labels?: Labels): Promise<readonly ContainerStats[]>
  /** The container writes to a new file at its log path. */
  reopenContainerLog(id: string): Promise<void>
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>
  listImages(): Promise<readonly ImageEntry[]>
  /** Undefined where the node has no such image. */
  imageStatus(image: string): Promise<ImageEntry | undefined>
  /** The chain id of the image's layers, `sha256:…`: the name of their snapshot. Undefined where the node has no such image. */
  imageChain(image: string): Promise<string | undefined>
  /** Returns the image's reference by digest or id. */
  pullImage(image: string, auth: ImageAuth | undefined, signal?: AbortSignal): Promise<string>
  removeImage(image: string): Promise<void>
  /** The folder where images and layers lie. */
  imageFileSystem(): Promise<string | undefined>
}

export type Labels = Readonly<Record<string, string>>

export interface RuntimeVersion {
  readonly runtimeName: string
  readonly runtimeVersion: string
}

export interface RuntimeCondition {
  readonly type: string
  readonly status: boolean
  readonly reason: string
  readonly message: string
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET'

export interface NamespaceOption {
  readonly network: NamespaceMode
  readonly pid: NamespaceMode
  readonly ipc: NamespaceMode
  readonly targetId?: string
}

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'
  readonly localhostRef?: string
}

export interface LinuxResources {
  readonly cpuPeriod?: number
  readonly cpuQuota?: number
  readonly cpuShares?: number
  readonly memoryLimitInBytes?: number
  readonly oomScoreAdj?: number
  /** `0-3,6`; on version 1 and 2 the same. */
  readonly cpusetCpus?: string
  readonly cpusetMems?: string
  /** Files of the unified tree by name, where the host has it. */
  readonly unified?: Labels
}

export interface PodSandboxConfig {
  readonly metadata: SandboxMetadata
  readonly hostname: string
  readonly logDirectory: string
  readonly dnsConfig: DnsConfig
  readonly portMappings: readonly PortMapping[]
  readonly labels: Labels
  readonly annotations: Labels
  readonly linux: {
    readonly cgroupParent: string
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOption
      readonly runAsUser?: { readonly value: number }
      readonly runAsGroup?: { readonly value: number }
      readonly supplementalGroups: readonly number[]
      readonly privileged: boolean
      readonly seccomp: SecurityProfile
    }
    readonly sysctls: Labels
  }
}

export interface SandboxMetadata {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly attempt: number
}

export interface DnsConfig {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly containerPort: number
  readonly hostPort: number
  readonly hostIp: string
}

export interface Mount {
  readonly containerPath: string
  readonly hostPath: string
  readonly readonly: boolean
  readonly propagation: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL'
}

export interface ContainerSecurityContext {
  readonly capabilities: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] }
  readonly privileged: boolean
  readonly namespaceOptions: NamespaceOption
  readonly runAsUser?: { readonly value: number }
  readonly runAsGroup?: { readonly value: number }
  readonly runAsUsername?: string
  readonly readonlyRootfs: boolean
  readonly supplementalGroups: readonly number[]
  readonly noNewPrivs: boolean
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly seccomp: SecurityProfile
  readonly apparmor?: SecurityProfile
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly image: { readonly image: string }
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string
  readonly envs: readonly { readonly key: string; readonly value: string }[]
  readonly mounts: readonly Mount[]
  readonly devices: readonly {
    readonly containerPath: string
    readonly hostPath: string
    readonly permissions: string
  }[]
  readonly labels: Labels
  readonly annotations: Labels
  /** Below the sandbox's log directory. */
  readonly logPath: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  readonly linux: { readonly resources: LinuxResources; readonly securityContext: ContainerSecurityContext }
}

export type SandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY'

export interface Sandbox {
  readonly id: string
  readonly metadata: SandboxMetadata
  readonly state: SandboxState
  /** Nanoseconds since the Unix epoch, as all times here. */
  readonly createdAt: number
  readonly labels: Labels
  readonly annotations: Labels
}

export interface SandboxStatus extends Sandbox {
  /** Of its runtime class; empty for the runtime's default. */
  readonly runtimeHandler?: string
  /** Null until the sandbox has its network, and for pods in the node's own. */
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null
}

export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN'

export interface ContainerEntry {
  readonly id: string
  readonly podSandboxId: string
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly image: { readonly image: string } | null
  readonly imageRef: string
  readonly state: ContainerState
  readonly createdAt: number
  readonly labels: Labels
  readonly annotations: Labels
}

export interface ContainerStatusEntry {
  readonly id: string
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly state: ContainerState
  readonly createdAt: number
  readonly startedAt: number
  readonly finishedAt: number
  readonly exitCode: number
  readonly image: { readonly image: string } | null
  readonly imageRef: string
  readonly reason: string
  readonly message: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly logPath: string
}

export interface ContainerStats {
  readonly attributes: { readonly id: string }
  readonly writableLayer: {
    readonly usedBytes: { readonly value: number } | null
    readonly inodesUsed: { readonly value: number } | null
  } | null
}

export interface ExecResult {
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
  readonly exitCode: number
}

export interface ImageEntry {
  readonly id: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly size: number
  /** The numeric user that the image runs as; null where it names one, or none. */
  readonly uid: { readonly value: number } | null
  readonly username: string
}

export interface ImageAuth {
  readonly username?: string
  readonly password?: string
  readonly auth?: string
  readonly identityToken?: string
}

/** How a runtime gives pods their network. */
export interface RuntimeNetwork {
  /** Holds nothing but this runtime's; undefined where it shares a folder with others. */
  readonly namespacesDirectory: string | undefined
  readonly pluginsDirectory: string
  readonly name: string
  readonly cniVersion: string
  /** In the order in which they are called. */
  readonly plugins: readonly CniPlugin[]
}

export interface CniPlugin {
  readonly type: string
  readonly ipam?: { readonly type?: string; readonly dataDir?: string }
}
