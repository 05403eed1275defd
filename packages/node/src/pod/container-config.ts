// A container as the runtime is asked for it: command, environment, mounts, limits, rights.

import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import type {
  ContainerConfig,
  ContainerSecurityContext,
  ImageEntry,
  LinuxResources,
  Mount,
  SecurityProfile,
} from '../cri/types.ts'
import { kubeletDirectory } from '../plugins/kubelet-directory.ts'
import { ContainerConfigError } from './env.ts'
import { expand } from './expand.ts'
import {
  containerHash,
  containerLogPath,
  containerNameLabel,
  displayName,
  hashAnnotation,
  identityOf,
  messagePathAnnotation,
  messagePolicyAnnotation,
  podGraceAnnotation,
  podNameLabel,
  podNamespaceLabel,
  podUidLabel,
  preStopAnnotation,
  resourcesAnnotation,
  restartCountAnnotation,
} from './names.ts'
import { appArmorProfile } from './host-support.ts'
import { linuxResources } from './resources.ts'
import type { NodeCapacity } from './resources.ts'
import { namespacesOf, supplementalGroups } from './sandbox-config.ts'

export interface ContainerFacts {
  readonly attempt: number
  /** The reference to run: by id, so that a tag that moves on changes nothing. */
  readonly imageRef: string
  readonly image: ImageEntry | undefined
  readonly env: ReadonlyMap<string, string>
  readonly mounts: readonly Mount[]
  /** Volumes that the container gets as devices; none when absent. */
  readonly devices?: ContainerConfig['devices']
  readonly capacity: NodeCapacity
  /** CPUs and memory nodes that the node's managers hold the container to. */
  readonly pinned?: Pick<LinuxResources, 'cpusetCpus' | 'cpusetMems'>
  /** Whose processes an ephemeral container is to see: a running container's id. */
  readonly targetId?: string
  /** Where profiles of `localhostProfile` lie; those of plug-ins' `/var/lib/kubelet/seccomp` when absent. */
  readonly seccompDirectory?: string
}

/** Throws a ContainerConfigError where the rights asked for contradict the image. */
export function containerConfig(pod: Pod, container: Container, facts: ContainerFacts): ContainerConfig {
  const { env } = facts
  return {
    metadata: { name: container.name, attempt: facts.attempt },
    image: { image: facts.imageRef },
    command: (container.command ?? []).map((word) => expand(word, env)),
    args: (container.args ?? []).map((word) => expand(word, env)),
    workingDir: container.workingDir ?? '',
    envs: [...env].map(([key, value]) => ({ key, value })),
    mounts: facts.mounts,
    devices: facts.devices ?? [],
    labels: labelsOf(pod, container),
    annotations: annotationsOf(pod, container, facts.attempt),
    logPath: containerLogPath(container.name, facts.attempt),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: { ...linuxResources(pod, container, facts.capacity), ...facts.pinned },
      securityContext: securityContext(pod, container, facts),
    },
  }
}

function labelsOf(pod: Pod, container: Container): Readonly<Record<string, string>> {
  const { name, namespace, uid } = identityOf(pod)
  return {
    [containerNameLabel]: container.name,
    [podNameLabel]: name,
    [podNamespaceLabel]: namespace,
    [podUidLabel]: uid,
  }
}

function annotationsOf(pod: Pod, container: Container, attempt: number): Readonly<Record<string, string>> {
  const preStop = container.lifecycle?.preStop
  return {
    [hashAnnotation]: containerHash(container),
    [resourcesAnnotation]: JSON.stringify(container.resources ?? {}),
    [restartCountAnnotation]: String(attempt),
    [messagePathAnnotation]: container.terminationMessagePath ?? '/dev/termination-log',
    [messagePolicyAnnotation]: container.terminationMessagePolicy ?? 'File',
    [podGraceAnnotation]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    ...(preStop === undefined ? {} : { [preStopAnnotation]: JSON.stringify(preStop) }),
  }
}

const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

function securityContext(
  pod: Pod,
  container: Container,
  { image, targetId, seccompDirectory = `${kubeletDirectory}/seccomp` }: ContainerFacts,
): ContainerSecurityContext {
  const own = container.securityContext ?? {}
  const ofPod = pod.spec.securityContext ?? {}
  const privileged = own.privileged === true
  const runAsUser = own.runAsUser ?? ofPod.runAsUser
  const runAsGroup = own.runAsGroup ?? ofPod.runAsGroup
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) === true) refuseRoot(pod, container, runAsUser, image)
  const appArmor = appArmorProfile(pod, container)
  const unmasked = privileged || own.procMount === 'Unmasked'
  return {
    capabilities: { addCapabilities: own.capabilities?.add ?? [], dropCapabilities: own.capabilities?.drop ?? [] },
    privileged,
    namespaceOptions: targetId === undefined ? namespacesOf(pod) : { ...namespacesOf(pod), pid: 'TARGET', targetId },
    ...userOf(runAsUser, runAsGroup, image),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    supplementalGroups: supplementalGroups(pod),
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    ...(appArmor === undefined ? {} : { apparmor: appArmor }),
    seccomp: privileged
      ? { profileType: 'Unconfined' }
      : seccompOf(own.seccompProfile ?? ofPod.seccompProfile, seccompDirectory),
  }
}

/** The runtime wants a user named beside a group; the image's own, or root, where the pod names none. */
function userOf(
  runAsUser: number | undefined,
  runAsGroup: number | undefined,
  image: ImageEntry | undefined,
): Pick<ContainerSecurityContext, 'runAsUser' | 'runAsUsername'> {
  if (runAsUser !== undefined) return { runAsUser: { value: runAsUser } }
  if (runAsGroup === undefined) return {}
  if (image !== undefined && image.uid === null && image.username !== '') return { runAsUsername: image.username }
  return { runAsUser: { value: image?.uid?.value ?? 0 } }
}

function seccompOf(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  directory: string,
): SecurityProfile {
  if (profile?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' }
  if (profile?.type === 'Localhost') {
    return { profileType: 'Localhost', localhostRef: join(directory, profile.localhostProfile ?? '') }
  }
  return { profileType: 'Unconfined' }
}

function refuseRoot(
  pod: Pod,
  container: Container,
  runAsUser: number | undefined,
  image: ImageEntry | undefined,
): void {
  const where = `(pod: "${displayName(identityOf(pod))}", container: ${container.name})`
  if (runAsUser === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`)
  if (runAsUser !== undefined) return
  if (image?.uid?.value !== undefined && image.uid.value !== 0) return
  if (image !== undefined && image.uid === null && image.username !== '') {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    )
  }
  throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`)
}
