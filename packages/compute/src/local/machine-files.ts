// Where a local machine keeps what it is, and the record that says so. A machine is its folder: whatever the server
// process knows of it can be read again from here.

import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurableFile } from '@aksel/host/durable-file'
import type { Attachment } from '@aksel/provider/fabric'
import type { MachineOrder } from '@aksel/provider/machine-orders'
import type { MachineSpec, MachineState } from '@aksel/provider/machine-provider'

export interface MachineRecord {
  readonly spec: MachineSpec
  readonly state: MachineState
  readonly attachment?: Attachment
  readonly failure?: string
  readonly heldBy?: MachineOrder
}

/** Where the machine stands in a network. A host that joined has no namespace of its own: it is its own machine. */
export type MachinePlace = Pick<Attachment, 'address' | 'ipv6Address' | 'podAddresses' | 'podSubnetPrefix'> & {
  readonly networkNamespace?: string
}

/** Every path of a machine, below `DATA/machines/<key>`. Sockets live in a short folder: their paths may have 107 bytes. */
export interface MachinePaths {
  readonly key: string
  readonly root: string
  /** Where its OS disk is mounted. */
  readonly disk: string
  /** Whether it has one: not on a host without loop devices, nor in records from before disks were bounded. */
  readonly hasDisk: boolean
  readonly record: string
  readonly kubeconfig: string
  /** With a token that is good for asking for a certificate, and for nothing else. */
  readonly bootstrapKubeconfig: string
  /** The node's own keys and certificates. */
  readonly pki: string
  readonly agentConfig: string
  readonly agentLog: string
  /** What is about to happen to the machine. */
  readonly events: string
  readonly agentRoot: string
  readonly agentLedger: string
  readonly podLogs: string
  /** Manifests of static pods: `/etc/kubernetes/manifests` on AKS. */
  readonly manifests: string
  readonly containerdConfig: string
  readonly containerdRoot: string
  readonly containerdState: string
  readonly containerdSocket: string
  readonly containerdLog: string
  readonly runcRoot: string
  readonly cniConfigDirectory: string
  readonly cniStateDirectory: string
  /** Programs that containerd starts in place of a user's network plug-ins. */
  readonly cniWrappers: string
  readonly cgroup: string
}

export function machinePaths(
  machinesDirectory: string,
  cgroupRoot: string,
  { key, hasDisk }: { readonly key: string; readonly hasDisk: boolean },
): MachinePaths {
  const root = join(machinesDirectory, key)
  const disk = join(root, 'os')
  const system = hasDisk ? disk : root
  return {
    key,
    root,
    disk,
    hasDisk,
    record: join(root, 'machine.json'),
    kubeconfig: join(root, 'kubeconfig'),
    bootstrapKubeconfig: join(root, 'bootstrap-kubeconfig'),
    pki: join(root, 'pki'),
    agentConfig: join(root, 'agent.json'),
    agentLog: join(root, 'agent.log'),
    events: join(root, 'scheduled-events.json'),
    agentRoot: join(system, 'kubelet'),
    agentLedger: join(root, 'ledger'),
    podLogs: join(system, 'pod-logs'),
    manifests: join(root, 'manifests'),
    containerdConfig: join(root, 'containerd.toml'),
    containerdRoot: join(system, 'containerd'),
    containerdState: join(root, 'run'),
    containerdSocket: join(root, 'c.sock'),
    containerdLog: join(root, 'containerd.log'),
    runcRoot: join(root, 'runc'),
    cniConfigDirectory: join(root, 'cni'),
    cniStateDirectory: join(root, 'cni-state'),
    cniWrappers: join(root, 'cni-bin'),
    cgroup: `${cgroupRoot}/${key}`,
  }
}

export async function writeRecord(path: string, record: MachineRecord): Promise<void> {
  await writeDurableFile(path, `${JSON.stringify(record, undefined, 1)}\n`, 0o600)
}

/** The records of all machines, by key. */
export async function readRecords(machinesDirectory: string): Promise<ReadonlyMap<string, MachineRecord>> {
  await mkdir(machinesDirectory, { recursive: true })
  const records = new Map<string, MachineRecord>()
  for (const key of await readdir(machinesDirectory)) {
    try {
      records.set(
        key,
        JSON.parse(await readFile(join(machinesDirectory, key, 'machine.json'), 'utf8')) as MachineRecord,
      )
    } catch (error) {
      // A folder without a record: the crash came before anything was made in it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ENOTDIR')
        throw error
    }
  }
  return records
}
