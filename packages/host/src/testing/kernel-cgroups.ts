// The rules of a kernel with the unified tree alone (version 2), as its documentation states them, over the files that such a
// host has: this host may mount its controllers on version 1. Contents of files that only the kernel writes are recorded.

import { basename, dirname, join } from 'node:path'
import type { CgroupWorld } from '../cgroup-world.ts'

const controllers = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc']

/** By controller: the files that a cgroup has once its parent hands the controller down, with what stands in them at first. */
const filesOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { 'cpu.weight': '100', 'cpu.max': 'max 100000' },
  cpuset: { 'cpuset.cpus': '', 'cpuset.cpus.effective': '0-3', 'cpuset.mems.effective': '0' },
  memory: { 'memory.max': 'max', 'memory.current': '0', 'memory.stat': recordedMemoryStat() },
  pids: { 'pids.max': 'max', 'pids.current': '0' },
}

/** In every cgroup, whatever is handed down. */
const always: Readonly<Record<string, string>> = {
  'cgroup.procs': '',
  'cpu.stat': 'usage_usec 0\nuser_usec 0\nsystem_usec 0',
}

export const ROOT = '/sys/fs/cgroup'

export class UnifiedCgroups implements CgroupWorld {
  readonly #files = new Map<string, string>()
  readonly #folders = new Set<string>([ROOT])

  constructor() {
    this.#files.set(join(ROOT, 'cgroup.subtree_control'), '')
    this.#files.set(join(ROOT, 'cgroup.controllers'), controllers.join(' '))
    for (const [name, content] of Object.entries(always)) this.#files.set(join(ROOT, name), content)
  }

  trees(): ReturnType<CgroupWorld['trees']> {
    return Promise.resolve([{ version: 2, mountPoint: ROOT, controllers }])
  }

  async read(path: string): Promise<string> {
    const content = this.#files.get(path)
    if (content === undefined) throw failure('ENOENT', path)
    return content
  }

  async write(path: string, value: string | number): Promise<void> {
    const folder = dirname(path)
    if (!this.#files.has(path)) throw failure('ENOENT', path)
    if (basename(path) === 'cgroup.subtree_control') return this.#delegate(folder, String(value).split(' '))
    if (basename(path) === 'cgroup.procs' && folder !== ROOT && this.#handedDown(folder).size > 0) {
      throw failure('EBUSY', path)
    }
    this.#files.set(path, checked(basename(path), String(value)))
  }

  async makeFolder(path: string): Promise<void> {
    if (this.#folders.has(path)) return
    if (!this.#folders.has(dirname(path))) throw failure('ENOENT', path)
    this.#folders.add(path)
    this.#files.set(join(path, 'cgroup.subtree_control'), '')
    for (const [name, content] of Object.entries(always)) this.#files.set(join(path, name), content)
    this.#fill(path)
  }

  /** What only the kernel writes. */
  record(path: string, content: string): void {
    if (!this.#files.has(path)) throw failure('ENOENT', path)
    this.#files.set(path, content)
  }

  #delegate(folder: string, changes: readonly string[]): void {
    const enabled = this.#handedDown(folder)
    const available = folder === ROOT ? new Set(controllers) : this.#handedDown(dirname(folder))
    for (const change of changes) {
      if (!change.startsWith('+')) throw failure('EINVAL', folder)
      if (!available.has(change.slice(1))) throw failure('ENOENT', folder)
      enabled.add(change.slice(1))
    }
    // The rule of no inner processes: the root alone may have both.
    if (folder !== ROOT && this.#files.get(join(folder, 'cgroup.procs')) !== '') throw failure('EBUSY', folder)
    this.#files.set(join(folder, 'cgroup.subtree_control'), [...enabled].join(' '))
    for (const child of this.#folders) if (dirname(child) === folder && child !== ROOT) this.#fill(child)
  }

  #handedDown(folder: string): Set<string> {
    return new Set((this.#files.get(join(folder, 'cgroup.subtree_control')) ?? '').split(' ').filter(Boolean))
  }

  #fill(folder: string): void {
    for (const name of this.#handedDown(dirname(folder))) {
      for (const [file, content] of Object.entries(filesOf[name] ?? {})) {
        const path = join(folder, file)
        if (!this.#files.has(path)) this.#files.set(path, content)
      }
    }
  }
}

/** What the kernel keeps of a write; it refuses what it cannot read. */
function checked(file: string, value: string): string {
  const forms: Readonly<Record<string, RegExp>> = {
    'cpu.weight': /^([1-9]\d{0,3}|10000)$/,
    'cpu.max': /^(max|\d+)( \d+)?$/,
    'memory.max': /^(max|\d+)$/,
    'pids.max': /^(max|\d+)$/,
    'cgroup.procs': /^\d+$/,
  }
  const form = forms[file]
  if (form === undefined) throw failure('EINVAL', file)
  if (!form.test(value)) throw failure('EINVAL', `${file} ${value}`)
  return value
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** As Linux 6.1 writes it for a small container. */
export function recordedMemoryStat(): string {
  return [
    'anon 1576960',
    'file 4325376',
    'kernel 1003520',
    'kernel_stack 32768',
    'pagetables 98304',
    'sock 0',
    'shmem 0',
    'file_mapped 2433024',
    'file_dirty 0',
    'file_writeback 0',
    'inactive_anon 1544192',
    'active_anon 8192',
    'inactive_file 2949120',
    'active_file 1376256',
    'unevictable 0',
    'slab 695912',
    'pgfault 4719',
    'pgmajfault 22',
  ].join('\n')
}
