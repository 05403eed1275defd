// What a real machine holds for pods: mounts, namespaces, links, cgroups, addresses, folders, processes. Compared by tests
// before and after, so that nothing of a pod is left behind unseen.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { runProgram } from './aksel.ts'

/** Between two looks at a host, which tells nobody what it has given up. */
const LOOK_MS = 300

export interface TestMachine {
  /** `DATA/machines/<key>`. */
  readonly folder: string
  readonly networkNamespace: string
  /** `/aksel-…/<key>`. */
  readonly cgroup: string
}

export async function machineOf(dataDir: string, node: string): Promise<TestMachine> {
  const machines = join(dataDir, 'machines')
  const key = (await readdir(machines)).find((name) => name.endsWith(node.replace('aks-', '')))
  if (key === undefined) throw new Error(`no machine of node ${node} below ${machines}`)
  const folder = join(machines, key)
  const record = JSON.parse(await readFile(join(folder, 'machine.json'), 'utf8')) as {
    readonly attachment: { readonly networkNamespace: string }
  }
  const memberships = await readFile(`/proc/${await pidOf(folder, 'agent')}/cgroup`, 'utf8')
  const cgroup = /:(\/aksel[^\n]*)\/system$/m.exec(memberships)?.[1]
  if (cgroup === undefined) throw new Error(`the agent of ${node} is in no cgroup of a machine: ${memberships}`)
  return { folder, networkNamespace: record.attachment.networkNamespace, cgroup }
}

export async function pidOf(folder: string, program: 'agent' | 'containerd'): Promise<number> {
  return Number(await readFile(join(folder, `${program}.pid`), 'utf8'))
}

/** One line each; sorted. */
export async function heldForPods({ folder, networkNamespace, cgroup }: TestMachine): Promise<readonly string[]> {
  const containerd = ['ctr', '--address', join(folder, 'c.sock'), '--namespace', 'k8s.io']
  const of = (kind: string, names: readonly string[]): readonly string[] => names.map((name) => `${kind} ${name}`)
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '')
  const all = [
    of(
      'mount',
      mounts.filter((path) => path.startsWith(`${folder}/`) || path.startsWith('/run/netns/cni-')),
    ),
    of('namespace', (await lines('ip', 'netns', 'list')).filter((name) => name.startsWith('cni-')).map(firstWord)),
    of(
      'link',
      (await lines('ip', '-n', networkNamespace, '-o', 'link', 'show')).map((line) => line.split(/[:@]/)[1]!.trim()),
    ),
    of(
      'address',
      (await filesBelow(join(folder, 'cni-state'))).filter((path) => /\/\d+\.[\d.]+$/.test(path)),
    ),
    of('cgroup', await cgroupsBelow(`${cgroup}/kubepods`)),
    of('folder', [
      ...(await namesIn(join(folder, 'os/kubelet/pods'))),
      ...(await namesIn(join(folder, 'os/kubelet/memory/pods'))),
    ]),
    of('logs of', await namesIn(join(folder, 'os/pod-logs'))),
    of('container', await lines(...containerd, 'containers', 'ls', '-q')),
    of('task', await lines(...containerd, 'tasks', 'ls', '-q')),
    of('loop device', (await lines('losetup', '--list', '--noheadings', '--output', 'BACK-FILE')).filter(isOf(folder))),
    of('exec pipe', await namesIn(join(folder, 'os/kubelet/exec'))),
  ]
  return all.flat().sort()
}

/** What `after` has that `before` had not. */
export function added(before: readonly string[], after: readonly string[]): readonly string[] {
  const known = new Set(before)
  return after.filter((line) => !known.has(line))
}

/** Looks again until nothing is there that was not there before; rejects after the deadline with what is left. */
export async function nothingAdded(machine: TestMachine, before: readonly string[], deadlineMs: number): Promise<void> {
  const untilMs = Date.now() + deadlineMs
  let left = added(before, await heldForPods(machine))
  while (left.length > 0 && Date.now() < untilMs) {
    await setTimeout(LOOK_MS)
    left = added(before, await heldForPods(machine))
  }
  if (left.length > 0) throw new Error(`left after ${deadlineMs / 1000} s:\n${left.join('\n')}`)
}

/** Disks of one data folder lie beside its machines. */
function isOf(folder: string): (path: string) => boolean {
  const disks = join(folder, '../../disks')
  return (path) => path.startsWith(disks)
}

function firstWord(line: string): string {
  return line.split(' ')[0]!
}

async function cgroupsBelow(path: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const tree of ['', ...(await namesIn('/sys/fs/cgroup'))]) {
    const entries = await readdir(join('/sys/fs/cgroup', tree, path), { recursive: true, withFileTypes: true }).catch(
      () => [],
    )
    found.push(...entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)))
  }
  return found
}

async function filesBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

async function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch(() => [])
}

async function lines(...argv: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runProgram(argv)
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
