// Makes a local machine's life hard, and takes it back: its network cut or slow, its memory or its disk taken. Everything is made in the
// machine's own namespace, cgroup and folder, which stand in the ledger.

import { mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { readCgroupUsage } from '@aksel/host/cgroup-usage'
import { cgroupTrees } from '@aksel/host/cgroup-world'
import { CommandError, run, succeeds } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import type { Attachment } from '@aksel/provider/fabric'
import { MachineOrderError } from '@aksel/provider/machine-orders'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import type { MachinePaths } from './machine-files.ts'

export interface FaultyMachine {
  readonly paths: MachinePaths
  readonly spec: MachineSpec
  readonly attachment: Attachment
}

const TABLE = 'aksel-partition'
/** Before any rule of the node's own. */
const PRIORITY = -400

/** Packets come and go no more; the agent finds a file and hangs its tunnel up, which is no network of the machine's. */
export async function partition(scope: Scope, { paths, attachment }: FaultyMachine): Promise<void> {
  await writeFile(partitionedFile(paths), '')
  const chain = (hook: string, rule: string): string =>
    `chain ${hook} {\ntype filter hook ${hook} priority ${PRIORITY}; policy drop;\n${rule}\n}\n`
  const rules = [chain('input', 'iif lo accept'), chain('output', 'oif lo accept'), chain('forward', '')]
  await within(scope, attachment, ['nft', `table inet ${TABLE} { \n${rules.join('')}}\n`])
}

/** The file by which an agent knows that its machine is cut off. */
export function partitionedFile(paths: Pick<MachinePaths, 'agentRoot'>): string {
  return join(paths.agentRoot, 'partitioned')
}

/** While its disk is mounted: the mark lies on it, and the next agent would keep its tunnel hung up. */
export async function forgetPartition(paths: Pick<MachinePaths, 'agentRoot'>): Promise<void> {
  await rm(partitionedFile(paths), { force: true })
}

export async function slow(
  scope: Scope,
  { attachment }: FaultyMachine,
  { bitsPerSecond }: { readonly bitsPerSecond: number },
): Promise<void> {
  const link = await uplink(scope, attachment)
  const burst = Math.max(2000, Math.ceil(bitsPerSecond / 800))
  const rate = ['rate', `${bitsPerSecond}bit`, 'burst', String(burst), 'latency', '400ms']
  await within(scope, attachment, ['tc', 'qdisc', 'replace', 'dev', link, 'root', 'tbf', ...rate])
}

/** Takes memory until so much is left; it counts as the machine's own programs' use. */
export async function fillMemory(
  scope: Scope,
  { paths, spec }: FaultyMachine,
  { leaveBytes }: { readonly leaveBytes: number },
): Promise<void> {
  const used = (await readCgroupUsage(paths.cgroup))?.workingSetBytes ?? 0
  const mebibytes = Math.floor((spec.memoryBytes - used - leaveBytes) / 2 ** 20)
  if (mebibytes <= 0) return
  const folder = fillFolder(paths)
  await mkdir(folder, { recursive: true })
  if ((await mountsBelow(folder)).length === 0) {
    await run(scope, ['mount', '-t', 'tmpfs', '-o', `size=${mebibytes + 1}m`, 'tmpfs', folder])
  }
  const cgroups = (await cgroupTrees()).map(({ mountPoint }) =>
    join(mountPoint, paths.cgroup, 'system', 'cgroup.procs'),
  )
  // The writer's cgroup is charged for what it writes.
  const script = `out=$1; count=$2; shift 2; for file in "$@"; do echo $$ > "$file"; done; exec dd if=/dev/zero of="$out" bs=1M count="$count"`
  const argv = ['sh', '-c', script, 'fill', join(folder, 'taken'), String(mebibytes), ...cgroups]
  await run(scope, argv, { timeoutMs: FILL_TIMEOUT_MS })
}

const FILL_TIMEOUT_MS = 120_000

/** Reserves the machine's disk until so much is left: at once, and without taking any of the host's. Rejects where it has no disk of its own. */
export async function fillDisk(
  scope: Scope,
  { disk, hasDisk, key }: MachinePaths,
  { leaveBytes }: { readonly leaveBytes: number },
): Promise<void> {
  if (!hasDisk)
    throw new MachineOrderError(`The disk of machine "${key}" is the host's: it has none of its own to be filled`)
  const taken = join(disk, TAKEN)
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(disk)
    return bavail * bsize - leaveBytes
  }
  // The file system keeps some blocks to itself, more or less of them: pieces get smaller until none fits.
  for (let piece = await freeBytes(); piece >= BLOCK_BYTES; piece = Math.min(piece / 2, await freeBytes())) {
    const offset = (await stat(taken).catch(() => undefined))?.size ?? 0
    const length = Math.floor(piece / BLOCK_BYTES) * BLOCK_BYTES
    await succeeds(run, scope, ['fallocate', '--offset', String(offset), '--length', String(length), taken])
  }
}

const BLOCK_BYTES = 4096
/** In the disk's own top folder, which no program of the machine looks at. */
const TAKEN = 'taken'

/** Takes `fillDisk` back; idempotent. */
export async function emptyDisk({ disk }: Pick<MachinePaths, 'disk'>): Promise<void> {
  await rm(join(disk, TAKEN), { force: true })
}

function fillFolder(paths: MachinePaths): string {
  return join(paths.root, 'fill')
}

/** Idempotent. */
export async function heal(scope: Scope, { paths, attachment }: Omit<FaultyMachine, 'spec'>): Promise<void> {
  await unlessMissing(within(scope, attachment, ['nft', 'delete', 'table', 'inet', TABLE]))
  const link = await uplink(scope, attachment)
  await unlessMissing(within(scope, attachment, ['tc', 'qdisc', 'delete', 'dev', link, 'root']))
  await forgetPartition(paths)
  await emptyDisk(paths)
  for (const mount of await mountsBelow(fillFolder(paths))) await run(scope, ['umount', mount])
  await rm(fillFolder(paths), { recursive: true, force: true })
}

/** The link that leads out of the machine: that of its default route. */
async function uplink(scope: Scope, attachment: Attachment): Promise<string> {
  const { stdout } = await within(scope, attachment, ['ip', '-o', 'route', 'show', 'default'])
  const link = / dev (\S+)/.exec(stdout)?.[1]
  if (link === undefined)
    throw new Error(`The machine's namespace "${attachment.networkNamespace}" has no default route`)
  return link
}

function within(scope: Scope, { networkNamespace }: Attachment, argv: readonly string[]): ReturnType<typeof run> {
  return run(scope, ['nsenter', `--net=/run/netns/${networkNamespace}`, ...argv])
}

async function unlessMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    const isMissing =
      error instanceof CommandError &&
      /No such file|does not exist|Cannot delete qdisc with handle of zero/.test(error.stderr)
    if (!isMissing) throw error
  }
}
