// Which kernel settings a pod may ask for: those that concern it alone, and what its node allows besides. Pure; upstream's list
// and words.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Refusal } from './admission.ts'

/** Of a namespace of the pod's own, and without influence on any other pod. */
const safe: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
])

/** A pod that has the host's namespace would set them for all. */
function namespaceOf(name: string): 'ipc' | 'net' | undefined {
  if (name.startsWith('net.')) return 'net'
  const isIpc =
    name === 'kernel.sem' || ['kernel.shm', 'kernel.msg', 'fs.mqueue.'].some((each) => name.startsWith(each))
  return isIpc ? 'ipc' : undefined
}

/** `allowedUnsafe`: names, or beginnings with a `*`. Undefined where the pod may have what it asks for. */
export function judgeSysctls({ spec }: Pod, allowedUnsafe: readonly string[]): Refusal | undefined {
  for (const { name: written } of spec.securityContext?.sysctls ?? []) {
    const name = normal(written)
    const isAllowed = safe.has(name) || allowedUnsafe.some((pattern) => matches(pattern, name))
    if (!isAllowed) return forbidden(`"${name}" not allowlisted`)
    const namespace = namespaceOf(name)
    const isHosts = (namespace === 'net' && spec.hostNetwork === true) || (namespace === 'ipc' && spec.hostIPC === true)
    if (isHosts) return forbidden(`"${name}" not allowed with host ${namespace} enabled`)
  }
  return undefined
}

/** Throws for patterns of settings that are not a namespace's own: no pod could be given them without all others. */
export function checkSysctlPatterns(patterns: readonly string[]): void {
  for (const pattern of patterns) {
    const name = normal(pattern.endsWith('*') ? pattern.slice(0, -1) : pattern)
    if (namespaceOf(name) === undefined) {
      throw new Error(`invalid configuration: the sysctl ${JSON.stringify(pattern)} are not known to be namespaced`)
    }
  }
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(normal(pattern.slice(0, -1))) : normal(pattern) === name
}

function forbidden(why: string): Refusal {
  return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${why}` }
}

/** `net/ipv4/conf/eth0.1/…` is written `net.ipv4.conf.eth0/1.…` as well: whichever mark comes first parts the words. */
export function normal(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  return first === '/' ? name.replace(/[./]/g, (mark) => (mark === '/' ? '.' : '/')) : name
}
