// The Pod Security standards by version: which checks a level has in it, and what a pod violates.

import * as baseline from './baseline.ts'
import * as restricted from './restricted.ts'
import type { Check } from './baseline.ts'
import type { CheckedPod, Violation } from './words.ts'

export const levels = ['privileged', 'baseline', 'restricted'] as const
export type Level = (typeof levels)[number]

export interface LevelVersion {
  readonly level: Level
  /** The minor of `v1.N`; undefined for `latest`. */
  readonly minor: number | undefined
}

export function showLevel({ level, minor }: LevelVersion): string {
  return `${level}:${minor === undefined ? 'latest' : `v1.${minor}`}`
}

interface VersionedCheck {
  readonly id: string
  readonly level: 'baseline' | 'restricted'
  /** From this minor on; the newest that is not newer than what is asked for counts. */
  readonly versions: readonly (readonly [minor: number, check: Check])[]
  /** The weaker check that it stands in for. */
  readonly overrides?: string
}

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t']

const sysctls0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
]
const sysctls27 = [...sysctls0, 'net.ipv4.ip_local_reserved_ports']
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
]
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem']

/** A pod in a user namespace of its own may look like root within it. */
function relaxed(check: Check): Check {
  return (pod) => (pod.spec.hostUsers === false ? undefined : check(pod))
}

/** Windows knows neither seccomp nor capabilities. */
function exceptOnWindows(check: Check): Check {
  return (pod) => (pod.spec.os?.name === 'windows' ? undefined : check(pod))
}

/** In the order of their names, as violations are told. */
const checks: readonly VersionedCheck[] = [
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    versions: [
      [8, restricted.allowPrivilegeEscalation],
      [25, exceptOnWindows(restricted.allowPrivilegeEscalation)],
    ],
  },
  { id: 'appArmorProfile', level: 'baseline', versions: [[0, baseline.appArmorProfile]] },
  { id: 'capabilities_baseline', level: 'baseline', versions: [[0, baseline.defaultCapabilitiesOnly]] },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    versions: [
      [22, restricted.droppedCapabilities],
      [25, exceptOnWindows(restricted.droppedCapabilities)],
    ],
    overrides: 'capabilities_baseline',
  },
  { id: 'hostNamespaces', level: 'baseline', versions: [[0, baseline.hostNamespaces]] },
  { id: 'hostPathVolumes', level: 'baseline', versions: [[0, baseline.hostPathVolumes]] },
  { id: 'hostPorts', level: 'baseline', versions: [[0, baseline.hostPorts]] },
  { id: 'hostProbesAndHostLifecycle', level: 'baseline', versions: [[34, baseline.probeHosts]] },
  { id: 'privileged', level: 'baseline', versions: [[0, baseline.privileged]] },
  {
    id: 'procMount',
    level: 'baseline',
    versions: [
      [0, baseline.procMount],
      [35, relaxed(baseline.procMount)],
    ],
  },
  { id: 'procMount_restricted', level: 'restricted', versions: [[35, baseline.procMount]], overrides: 'procMount' },
  {
    id: 'restrictedVolumes',
    level: 'restricted',
    versions: [[0, restricted.restrictedVolumes]],
    overrides: 'hostPathVolumes',
  },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    versions: [
      [0, restricted.runAsNonRoot],
      [35, relaxed(restricted.runAsNonRoot)],
    ],
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    versions: [
      [23, restricted.runAsUser],
      [35, relaxed(restricted.runAsUser)],
    ],
  },
  {
    id: 'seLinuxOptions',
    level: 'baseline',
    versions: [
      [0, baseline.seLinuxOptions(new Set(seLinuxTypes))],
      [31, baseline.seLinuxOptions(new Set([...seLinuxTypes, 'container_engine_t']))],
    ],
  },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    versions: [
      [0, baseline.seccompAnnotations],
      [19, baseline.seccompProfile],
    ],
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    versions: [
      [19, restricted.requiredSeccompProfile],
      [25, exceptOnWindows(restricted.requiredSeccompProfile)],
    ],
    overrides: 'seccompProfile_baseline',
  },
  {
    id: 'sysctls',
    level: 'baseline',
    versions: [
      [0, baseline.sysctls(new Set(sysctls0))],
      [27, baseline.sysctls(new Set(sysctls27))],
      [29, baseline.sysctls(new Set(sysctls29))],
      [32, baseline.sysctls(new Set(sysctls32))],
    ],
  },
  { id: 'windowsHostProcess', level: 'baseline', versions: [[0, baseline.windowsHostProcess]] },
]

/** `newestMinor`: of this server; what asks for a newer one gets that. */
export function violationsOf(
  { level, minor }: LevelVersion,
  pod: CheckedPod,
  newestMinor: number,
): readonly Violation[] {
  if (level === 'privileged') return []
  const asked = Math.min(minor ?? newestMinor, newestMinor)
  const found = checks
    .filter((check) => level === 'restricted' || check.level === 'baseline')
    .map((check) => ({ check, run: check.versions.findLast(([from]) => from <= asked)?.[1] }))
    .filter(({ run }) => run !== undefined)
  const overridden = new Set(found.map(({ check }) => check.overrides))
  return found
    .filter(({ check }) => !overridden.has(check.id))
    .map(({ run }) => run!(pod))
    .filter((violation) => violation !== undefined)
}

/** `privileged (container "a" must not …), host namespaces (hostPID=true)` */
export function describe(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ')
}
