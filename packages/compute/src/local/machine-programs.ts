// What runs on a local machine: its containerd and its node agent, with the files they read.

import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { cgroupFolders, makeCgroup, processesIn } from '@aksel/host/cgroups'
import { renderCniConfig } from '@aksel/host/cni-config'
import { run } from '@aksel/host/command'
import { renderContainerdConfig } from '@aksel/host/containerd-config'
import { writeDurableFile } from '@aksel/host/durable-file'
import type { Ledger } from '@aksel/host/ledger'
import { findSandboxRuntime } from '@aksel/host/sandboxing/sandbox-runtime'
import { startProcess } from '@aksel/host/process-start'
import { undoEntry } from '@aksel/host/undo'
import { connect } from 'node:net'
import { METADATA_ADDRESS, METADATA_PORT } from '@aksel/provider/instance-metadata'
import { localDnsAddresses } from '@aksel/provider/local-dns'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { agentConfig } from './agent-config.ts'
import { bringPlugins, cniFolders, ensurePluginFolders } from './brought-plugins.ts'
import { changeBelow } from './folder-change.ts'
import { mountDisk, removeDisk } from './machine-disk.ts'
import type { MachinePaths, MachinePlace } from './machine-files.ts'
import { recordOnce } from './record-once.ts'
import { shutDown } from './shut-down.ts'
import { supervisedArgv, type SupervisedProgram } from './supervise.ts'

export interface PreparedMachine {
  readonly paths: MachinePaths
  readonly spec: MachineSpec
  readonly attachment: MachinePlace
}

export interface MachineCredentials {
  readonly kubeconfig: string
}

export interface MachinePrograms {
  /** Writes what the programs read; idempotent. */
  prepare(scope: Scope, machine: PreparedMachine & { readonly credentials: MachineCredentials }): Promise<void>
  /** From now on pods get these addresses of the subnet; those that have another keep it. */
  offer(paths: MachinePaths, pods: { readonly subnet: string; readonly addresses: readonly string[] }): Promise<void>
  /** Starts what does not run. */
  start(scope: Scope, machine: PreparedMachine): Promise<void>
  /** Tells the node that it is about to stop; resolves when its pods are down, or when their time is over. */
  shutDown(scope: Scope, paths: MachinePaths): Promise<void>
  /** Empties what a fresh machine has not: images, pods' folders, logs. It stands still, and is healed. */
  wipe(paths: MachinePaths): Promise<void>
  /** Ends every process of the machine, containers included, and takes back its mounts and devices. */
  stop(scope: Scope, paths: MachinePaths): Promise<void>
}

export interface MachineProgramsOptions {
  readonly ledger: Ledger
  /** argv of the agent up to its options: Node and the program file. */
  readonly agentArgv: readonly string[]
  readonly agentEnvironment: Readonly<Record<string, string>>
  readonly sandboxImage: string
  /** OCI archives to import, once they are built; the digest tells whether a machine has one already. */
  readonly imageArchives: () => Promise<readonly { readonly path: string; readonly digest: string }[]>
  /** `DATA/disks`. */
  readonly disksDirectory: string
  /** `DATA/registries`: mirrors and certificates of registries, one folder with a `hosts.toml` each. */
  readonly registriesDirectory: string
  /** Undoes what the agent wrote into its own ledger. */
  readonly undoAgentLedger: (scope: Scope, directory: string) => Promise<void>
}

const SOCKET_DEADLINE_MS = 20_000
const DNS_PORT = 53
const IMPORT_TIMEOUT_MS = 120_000

export function createMachinePrograms(options: MachineProgramsOptions): MachinePrograms {
  return {
    prepare: (scope, machine) => prepare(scope, options, machine),
    start: (scope, machine) => start(scope, options, machine),
    offer: (paths, pods) => writeCni(paths, pods),
    wipe,
    shutDown: (scope, paths) => shutDown(scope, paths),
    stop: (scope, paths) => stop(scope, options, paths),
  }
}

async function prepare(
  scope: Scope,
  options: MachineProgramsOptions,
  { paths, spec, attachment, credentials }: PreparedMachine & { readonly credentials: MachineCredentials },
): Promise<void> {
  await ensureDisk(scope, options, { paths, spec })
  await Promise.all(
    [paths.agentLedger, paths.containerdState, paths.runcRoot, paths.cniConfigDirectory, paths.cniStateDirectory].map(
      (path) => mkdir(path, { recursive: true }),
    ),
  )
  const { podAddresses: addresses, podSubnetPrefix: subnet } = attachment
  const pods = addresses === undefined || subnet === undefined ? spec.boot.podCidr : { subnet, addresses }
  const containerd = renderContainerdConfig({
    rootDirectory: paths.containerdRoot,
    stateDirectory: paths.containerdState,
    socketPath: paths.containerdSocket,
    runcRoot: paths.runcRoot,
    ...cniFolders({ paths, spec }),
    sandboxImage: options.sandboxImage,
    registryDirectory: options.registriesDirectory,
    ...(spec.sandboxing === true ? { sandboxing: await findSandboxRuntime() } : {}),
  })
  const agent = agentConfig({ paths, spec, attachment, disksDirectory: options.disksDirectory })
  await Promise.all([
    // Without one the node is not Ready, as AKS's is, until its user has brought a plugin.
    ...(spec.podNetwork?.kind === 'none' ? [] : [writeCni(paths, pods, spec.boot.ipv6?.podCidr)]),
    writeFile(paths.containerdConfig, containerd),
    writeDurableFile(paths.bootstrapKubeconfig, credentials.kubeconfig, 0o600),
    writeDurableFile(paths.agentConfig, `${JSON.stringify(agent, undefined, 1)}\n`, 0o600),
  ])
}

/** Replaced as a whole: containerd reads it again as soon as it changes. */
function writeCni(
  paths: MachinePaths,
  pods: Parameters<typeof renderCniConfig>[0]['pods'],
  ipv6Pods?: string,
): Promise<void> {
  const given = ipv6Pods === undefined ? {} : { ipv6Pods }
  const cni = renderCniConfig({ pods, ...given, dataDirectory: paths.cniStateDirectory })
  return writeDurableFile(`${paths.cniConfigDirectory}/10-aksel.conflist`, cni)
}

/** With the folders that lie on it. A machine made anew begins with none. */
async function ensureDisk(
  scope: Scope,
  { ledger }: MachineProgramsOptions,
  { paths, spec: { osDiskBytes } }: Pick<PreparedMachine, 'paths' | 'spec'>,
): Promise<void> {
  if (osDiskBytes !== undefined)
    await mountDisk(scope, { ledger, owner: ownerOf(paths), place: paths, sizeBytes: osDiskBytes })
  const folders = [paths.agentRoot, paths.podLogs, paths.containerdRoot]
  await Promise.all(folders.map((path) => mkdir(path, { recursive: true })))
  await ensurePluginFolders(paths.agentRoot)
}

async function start(scope: Scope, options: MachineProgramsOptions, machine: PreparedMachine): Promise<void> {
  const { paths, spec } = machine
  const owner = ownerOf(paths)
  await ensureDisk(scope, options, machine)
  if (spec.podNetwork?.kind === 'none') await bringPlugins(options.ledger, paths)
  // Mounts of volumes, sandboxes and snapshots lie below the machine's folder.
  await recordOnce(options.ledger, owner, { kind: 'mounts', path: paths.root })
  await recordOnce(options.ledger, owner, { kind: 'containerd-files', path: paths.containerdState })
  await makeCgroup({
    ledger: options.ledger,
    owner,
    path: paths.cgroup,
    limits: { cpus: spec.vcpus, memoryBytes: spec.memoryBytes },
  })
  await makeCgroup({ ledger: options.ledger, owner, path: `${paths.cgroup}/system` })
  await ensureRunning(scope, options, machine, {
    argv: ['containerd', '--config', paths.containerdConfig, '--log-level', 'warn'],
    // Pods on the host's network have its name: the machine's, not that of the host below.
    hostName: spec.name,
    pidPath: `${paths.root}/containerd.pid`,
    restartDelaySeconds: 0.2,
  })
  await socketAnswers(scope, paths.containerdSocket)
  await importImages(scope, options, paths)
  if (spec.localDns !== undefined) {
    await ensureRunning(scope, options, machine, {
      argv: [...options.agentArgv, '--local-dns', '--config', paths.agentConfig],
      environment: options.agentEnvironment,
      sockets: Object.values(localDnsAddresses).map((address) => ({ address, port: DNS_PORT })),
      pidPath: `${paths.root}/local-dns.pid`,
      restartDelaySeconds: 0.2,
    })
  }
  await ensureRunning(scope, options, machine, {
    argv: [...options.agentArgv, '--config', paths.agentConfig],
    environment: options.agentEnvironment,
    sockets: [
      { address: spec.boot.clusterDns, port: DNS_PORT },
      ...(spec.cloud === undefined ? [] : [{ address: METADATA_ADDRESS, port: METADATA_PORT }]),
    ],
    pidPath: `${paths.root}/agent.pid`,
    restartDelaySeconds: 0.2,
  })
}

/** The loop's process is known by the ledger: its id and start time tell whether it still runs. */
async function ensureRunning(
  scope: Scope,
  options: MachineProgramsOptions,
  machine: PreparedMachine,
  program: SupervisedProgram,
): Promise<void> {
  const { paths, attachment } = machine
  const name = basename(program.pidPath, '.pid')
  if (await loopRuns(paths, name)) return
  const started = await startProcess({
    ledger: options.ledger,
    owner: ownerOf(paths),
    argv: supervisedArgv(program, attachment.networkNamespace),
    logFile: logFileOf(paths, name),
    cgroup: `${paths.cgroup}/system`,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
  })
  await writeDurableFile(
    loopPath(paths, name),
    JSON.stringify({ pid: started.pid, startTicks: started.startTicks }),
    0o600,
  )
  scope.log.info('machine program started', { machine: paths.key, program: name, pid: started.pid })
}

function logFileOf(paths: MachinePaths, name: string): string {
  if (name === 'local-dns') return `${paths.root}/local-dns.log`
  return name === 'agent' ? paths.agentLog : paths.containerdLog
}

async function loopRuns(paths: MachinePaths, name: string): Promise<boolean> {
  const { isRunning } = await import('@aksel/host/process-table')
  try {
    return await isRunning(
      JSON.parse(await readFile(loopPath(paths, name), 'utf8')) as { pid: number; startTicks: string },
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function loopPath(paths: MachinePaths, name: string): string {
  return `${paths.root}/${name}.loop.json`
}

/** Waits for the socket's file by a watch on its folder, and then for someone to accept on it. */
async function socketAnswers(scope: Scope, path: string): Promise<void> {
  const startedMs = scope.clock.monotonicMs()
  while (!(await accepts(path))) {
    if (scope.clock.monotonicMs() - startedMs > SOCKET_DEADLINE_MS) {
      throw new Error(
        `containerd did not answer on "${path}" within ${SOCKET_DEADLINE_MS / 1000} s; its log is in "${dirname(path)}/containerd.log"`,
      )
    }
    await changeBelow(scope, dirname(path), 200)
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const settle = (accepted: boolean): void => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/**
 * Archives that this machine's containerd has not taken in yet; a marker per archive says which it has. One after the
 * other: imports at the same time wait for one another's locks in containerd, and for seconds.
 */
async function importImages(scope: Scope, options: MachineProgramsOptions, paths: MachinePaths): Promise<void> {
  for (const { path, digest } of await options.imageArchives()) {
    const marker = `${paths.containerdRoot}/imported-${digest.replace(':', '-')}`
    if (await exists(marker)) continue
    const ctr = ['ctr', '--address', paths.containerdSocket, '--namespace', 'k8s.io', 'images', 'import', path]
    await run(scope, ctr, { timeoutMs: IMPORT_TIMEOUT_MS })
    await writeFile(marker, '')
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}

async function wipe(paths: MachinePaths): Promise<void> {
  if (paths.hasDisk) await removeDisk(paths)
  const state = paths.hasDisk
    ? [paths.runcRoot, paths.cniStateDirectory]
    : [paths.agentRoot, paths.podLogs, paths.containerdRoot, paths.runcRoot, paths.cniStateDirectory]
  for (const path of state) {
    await rm(path, { recursive: true, force: true })
    await mkdir(path, { recursive: true })
  }
}

/** Everything in the machine's cgroup ends: loops, containerd, agent, shims and containers; then mounts and devices go. */
async function stop(scope: Scope, options: MachineProgramsOptions, paths: MachinePaths): Promise<void> {
  const owner = ownerOf(paths)
  for (const kind of ['process', 'cgroup'] as const) {
    for (const entry of options.ledger.entries(owner))
      if (entry.object.kind === kind) await undoEntry(scope, options, entry)
  }
  for (const folder of await cgroupFolders(paths.cgroup)) {
    const left = await processesIn(folder)
    if (left.length > 0) throw new Error(`Processes ${left.join(', ')} of machine "${paths.key}" did not end`)
  }
  await options.undoAgentLedger(scope, paths.agentLedger)
  for (const entry of options.ledger.entries(owner))
    if (['mounts', 'loop-devices', 'containerd-files'].includes(entry.object.kind))
      await undoEntry(scope, options, entry)
}

function ownerOf(paths: MachinePaths): string {
  return `machine/${paths.key}`
}
