// A setting of the host that several data folders need: the first to come changes it, and the last to go sets it back.
// Who needs it stands in files below /run, which a restart of the host empties as it resets the setting itself:
//   /run/aksel/sysctl/net.ipv4.ip_forward-4026531840/HOLDER holds the value from before the first of them.
// The number is that of the network namespace, whose own such a setting is: several hosts may share one /run.

import { mkdir, readFile, readdir, readlink, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostObject, Ledger } from './ledger.ts'

const HOLDERS = '/run/aksel/sysctl'

/** `net.ipv4.ip_forward`, or with slashes where a part holds a dot itself. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`
}

export interface SysctlRequest {
  readonly ledger: Ledger
  readonly owner: string
  readonly name: string
  readonly value: string
  /** Unique on the host, and a file name. */
  readonly holder: string
}

/** Idempotent. Does nothing where the host itself has this value and nobody changed it. */
export async function holdSysctl({ ledger, owner, name, value, holder }: SysctlRequest): Promise<void> {
  const folder = await folderOf(name)
  const current = (await readFile(sysctlPath(name), 'utf8')).trim()
  const [known] = await namesIn(folder)
  const before = known === undefined ? current : await readFile(join(folder, known), 'utf8')
  if (before === value) return
  const isRecorded = ledger.entries(owner).some(({ object }) => object.kind === 'sysctl' && object.name === name)
  if (!isRecorded) await ledger.record(owner, { kind: 'sysctl', name, before, holder })
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, holder), before)
  if (current !== value) await writeFile(sysctlPath(name), value)
}

/** Sets the value back, unless others still hold it. */
export async function releaseSysctl({ name, before, holder }: Extract<HostObject, { kind: 'sysctl' }>): Promise<void> {
  const folder = await folderOf(name)
  if (holder !== undefined) await rm(join(folder, holder), { force: true })
  if ((await namesIn(folder)).length > 0) return
  await writeFile(sysctlPath(name), before)
  for (const empty of [folder, HOLDERS, join(HOLDERS, '..')]) await rmdir(empty).catch(() => {})
}

async function folderOf(name: string): Promise<string> {
  const dotted = name.replaceAll('/', '.')
  const [number] = dotted.startsWith('net.') ? (/\d+/.exec(await readlink('/proc/self/ns/net')) ?? []) : []
  return join(HOLDERS, number === undefined ? dotted : `${dotted}-${number}`)
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
