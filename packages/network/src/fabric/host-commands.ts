// The few ways in which the fabric touches namespaces: batches for `ip`, sysctls, and looking whether one stands.

import { statfs } from 'node:fs/promises'
import { succeeds, type CommandRunner } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import type { Scope } from '@aksel/base/scope'
import type { FabricRanges } from './allocate.ts'
import { BRIDGE_SYSCTLS, FORWARDING_SYSCTLS } from './plumbing.ts'

/** What every part of the fabric works with. */
export interface FabricHost {
  readonly ledger: Ledger
  readonly run: CommandRunner
  readonly ranges: FabricRanges
}

/** File system type of a bound namespace. */
const NSFS = 0x6e736673

/** Runs the lines as one `ip -batch`, in the named namespace or the host's own; stops at the first that fails. */
export async function ipBatch(
  scope: Scope,
  host: FabricHost,
  networkNamespace: string | undefined,
  lines: readonly string[],
): Promise<void> {
  if (lines.length === 0) return
  const where = networkNamespace === undefined ? [] : ['-n', networkNamespace]
  await host.run(scope, ['ip', ...where, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

/** The same, going on after lines that fail: for what may be gone already. */
export async function ipForced(
  scope: Scope,
  host: FabricHost,
  networkNamespace: string,
  lines: readonly string[],
): Promise<void> {
  if (lines.length === 0) return
  const argv = ['ip', '-n', networkNamespace, '-force', '-batch', '-']
  await host.run(scope, argv, { input: `${lines.join('\n')}\n` }).catch(() => {})
}

/** Whether the namespace is bound. A file left by a crash before the binding is taken away. */
export async function namespaceStands(scope: Scope, host: FabricHost, name: string): Promise<boolean> {
  try {
    if ((await statfs(`/run/netns/${name}`)).type === NSFS) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  await host.run(scope, ['ip', 'netns', 'delete', name])
  return false
}

/** Sets them inside the namespace; each must be there. */
export async function setSysctls(
  scope: Scope,
  host: FabricHost,
  networkNamespace: string,
  values: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  if (values.length === 0) return
  const script = values.map(([name, value]) => `echo ${value} > /proc/sys/${name}`).join('\n')
  await host.run(scope, ['nsenter', `--net=/run/netns/${networkNamespace}`, 'sh', '-ec', script])
}

export async function setForwarding(scope: Scope, host: FabricHost, networkNamespace: string): Promise<void> {
  const set = ([name, value]: readonly [string, string]): string => `echo ${value} > /proc/sys/${name}`
  const script = [
    ...Object.entries(FORWARDING_SYSCTLS).map(set),
    ...Object.entries(BRIDGE_SYSCTLS).map((entry) => `[ ! -e /proc/sys/${entry[0]} ] || ${set(entry)}`),
  ]
  await host.run(scope, ['nsenter', `--net=/run/netns/${networkNamespace}`, 'sh', '-ec', script.join('\n')])
}

/** Waits for all of them even when one fails, so that nothing is still at work when the caller tries again. */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason as Error
}

/** Deletes a link; false when it is not there. */
export function deleteLink(scope: Scope, host: FabricHost, networkNamespace: string, link: string): Promise<boolean> {
  return succeeds(host.run, scope, ['ip', '-n', networkNamespace, 'link', 'delete', link])
}
