// The configuration of a machine's own containerd, which shares the host with others: every path that two of them
// would meet at is the machine's.

import { sandboxHandler } from './sandboxing/sandbox-runtime.ts'
import type { SandboxRuntime } from './sandboxing/sandbox-runtime.ts'

export interface ContainerdConfigOptions {
  /** Images and snapshots; kept over restarts. */
  readonly rootDirectory: string
  /** Running tasks and sockets of the daemon; lost with the host's memory. */
  readonly stateDirectory: string
  /** Unix socket for CRI and containerd's own API; at most 107 bytes. */
  readonly socketPath: string
  /** runc keeps the state of containers below it; two daemons may not share it. */
  readonly runcRoot: string
  /** Holds the machine's one CNI network list. */
  readonly cniConfigDirectory: string
  /** Where the CNI plugins lie; Debian's place when absent. */
  readonly cniBinaryDirectory?: string
  /** Full name of the image that holds a pod's namespaces. */
  readonly sandboxImage: string
  /** What runtime classes reach as the handler `kata`; nothing when absent. */
  readonly sandboxing?: SandboxRuntime
  /** A folder of `hosts.toml` files per registry; containerd's own rules when absent. */
  readonly registryDirectory?: string
  /** Where nodes of this kernel have only the unified cgroup tree and systemd owns it. False when absent. */
  readonly systemdCgroup?: boolean
}

const SOCKET_PATH_BYTES_MAX = 107

/** The text of `config.toml`, version 2, which containerd 1.6 to 2.x read. */
export function renderContainerdConfig(options: ContainerdConfigOptions): string {
  if (Buffer.byteLength(options.socketPath) > SOCKET_PATH_BYTES_MAX) {
    throw new Error(
      `Cannot use the socket path "${options.socketPath}": it has more than ${SOCKET_PATH_BYTES_MAX} bytes`,
    )
  }
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  const runtime = `${cri}.containerd.runtimes.runc`
  return [
    'version = 2',
    `root = ${quote(options.rootDirectory)}`,
    `state = ${quote(options.stateDirectory)}`,
    // Snapshotters that a node never uses would each be probed at start.
    `disabled_plugins = [${unusedPlugins.map(quote).join(', ')}]`,
    '[grpc]',
    `address = ${quote(options.socketPath)}`,
    '[ttrpc]',
    `address = ${quote(`${options.socketPath}.t`)}`,
    `[${cri}]`,
    `sandbox_image = ${quote(options.sandboxImage)}`,
    // Inside a container or under a supervisor, lowering the OOM score below one's own is forbidden.
    'restrict_oom_score_adj = true',
    // /var/run/netns is the host's; these namespaces belong to the machine.
    'netns_mounts_under_state_dir = true',
    'tolerate_missing_hugetlb_controller = true',
    'enable_unprivileged_ports = true',
    'enable_unprivileged_icmp = true',
    `[${cri}.cni]`,
    `bin_dir = ${quote(options.cniBinaryDirectory ?? '/usr/lib/cni')}`,
    `conf_dir = ${quote(options.cniConfigDirectory)}`,
    `[${cri}.containerd]`,
    'snapshotter = "overlayfs"',
    'default_runtime_name = "runc"',
    `[${runtime}]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${runtime}.options]`,
    `Root = ${quote(options.runcRoot)}`,
    `SystemdCgroup = ${String(options.systemdCgroup ?? false)}`,
    ...(options.sandboxing === undefined ? [] : sandboxLines(options.sandboxing, options.runcRoot)),
    ...(options.registryDirectory === undefined
      ? []
      : [`[${cri}.registry]`, `config_path = ${quote(options.registryDirectory)}`]),
    '',
  ].join('\n')
}

function sandboxLines(runtime: SandboxRuntime, runcRoot: string): readonly string[] {
  const section = `plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${sandboxHandler}`
  if (runtime.kind === 'kata') return [`[${section}]`, 'runtime_type = "io.containerd.kata.v2"']
  return [
    `[${section}]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${section}.options]`,
    `BinaryName = ${quote(runtime.binaryPath)}`,
    `Root = ${quote(`${runcRoot}-sandboxed`)}`,
  ]
}

const unusedPlugins = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.native',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
]

/** A TOML basic string; JSON's escapes are a subset of TOML's. */
function quote(text: string): string {
  return JSON.stringify(text)
}
