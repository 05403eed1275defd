// On which nodes a volume of a CSI driver is to be attached, and from which it may be taken: facts in, plan out.

import { createHash } from 'node:crypto'
import type { Node, PersistentVolume, Pod } from '@aksel/api/types/core-v1'
import type { VolumeAttachment } from '@aksel/api/types/storage-v1'

export interface VolumeFacts {
  /** Undefined when it is gone. */
  readonly volume: PersistentVolume | undefined
  /** Pods that use it and were given a node, none of them ended. */
  readonly pods: readonly Pod[]
  /** All attachments of the volume. */
  readonly attachments: readonly VolumeAttachment[]
  readonly nodeOf: (name: string) => Node | undefined
  /** The driver says that its volumes need no attaching. */
  readonly attachesNothing: boolean
  /** When the attachment of that name was first found unwanted, in milliseconds. */
  readonly unwantedSinceMs: (name: string) => number
  readonly nowMs: number
}

export interface VolumePlan {
  /** Nodes to attach it to. */
  readonly attach: readonly string[]
  readonly detach: readonly VolumeAttachment[]
  /** Attachments that nobody wants, and that wait for their node to let go. */
  readonly held: readonly VolumeAttachment[]
  /** Pods that cannot have it where they are, and what to tell them. */
  readonly refused: readonly { readonly pod: Pod; readonly message: string }[]
  /** When to look again. */
  readonly againAfterMs: number | undefined
}

/** How long a node that is not ready may hold a volume that nobody uses. */
const UNMOUNT_WAIT_MS = 6 * 60_000
const outOfService = 'node.kubernetes.io/out-of-service'
const ownName = /^csi-[0-9a-f]{64}$/

/** The name that the node's agent looks an attachment up by. */
export function attachmentName(handle: string, driver: string, nodeName: string): string {
  return `csi-${createHash('sha256').update(`${handle}${driver}${nodeName}`).digest('hex')}`
}

/** How a node's status names a volume. */
export function uniqueVolumeName(driver: string, handle: string): string {
  return `kubernetes.io/csi/${driver}^${handle}`
}

export function planVolume(facts: VolumeFacts): VolumePlan {
  const { volume, attachments } = facts
  const csi = volume?.spec?.csi
  const wanted = csi === undefined || facts.attachesNothing ? [] : wantedNodes(facts)
  const present = new Set(attachments.map(({ spec }) => spec?.nodeName))
  // What others made under names of their own is theirs.
  const own = attachments.filter(({ metadata }) => ownName.test(metadata.name))
  const unwanted = own.filter(
    ({ spec, metadata }) => !wanted.includes(spec?.nodeName ?? '') && metadata.deletionTimestamp === undefined,
  )
  const waits = unwanted.map((attachment) => ({ attachment, waitMs: detachWaitMs(facts, attachment) }))
  const missing = wanted.filter((node) => !present.has(node))
  const isShared = mayBeShared(volume)
  const taken = attachments.map(({ spec }) => spec?.nodeName ?? '')
  const attach = isShared ? missing : taken.length > 0 ? [] : missing.slice(0, 1)
  const refused = isShared
    ? []
    : refusals(
        facts,
        missing.filter((node) => !attach.includes(node)),
      )
  const rechecks = waits.map(({ waitMs }) => waitMs).filter((ms) => ms > 0 && Number.isFinite(ms))
  return {
    attach,
    detach: waits.filter(({ waitMs }) => waitMs === 0).map(({ attachment }) => attachment),
    held: waits.filter(({ waitMs }) => waitMs > 0).map(({ attachment }) => attachment),
    refused,
    againAfterMs: rechecks.length === 0 ? undefined : Math.min(...rechecks),
  }
}

/** Nodes of the pods, in the order in which the pods came. */
function wantedNodes({ pods, nodeOf }: VolumeFacts): readonly string[] {
  const sorted = pods.toSorted((left, right) => (ageKey(left) < ageKey(right) ? -1 : 1))
  return [...new Set(sorted.map(({ spec }) => spec.nodeName!))].filter((name) => nodeOf(name) !== undefined)
}

function ageKey({ metadata }: Pod): string {
  return `${metadata.creationTimestamp ?? ''}/${metadata.name}`
}

/** A volume that says nothing of how it may be used is not judged. */
function mayBeShared(volume: PersistentVolume | undefined): boolean {
  const modes = volume?.spec?.accessModes ?? []
  return modes.length === 0 || modes.includes('ReadWriteMany') || modes.includes('ReadOnlyMany')
}

/** 0: now. Infinity: until its node says that it does not use it any more. */
function detachWaitMs({ nodeOf, volume, unwantedSinceMs, nowMs }: VolumeFacts, attachment: VolumeAttachment): number {
  const node = nodeOf(attachment.spec?.nodeName ?? '')
  if (node === undefined) return 0
  const { driver = '', volumeHandle = '' } = volume?.spec?.csi ?? {}
  const inUse = node.status?.volumesInUse ?? []
  if (!inUse.includes(uniqueVolumeName(driver, volumeHandle))) return 0
  const isReady = (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  if (isReady) return Infinity
  if ((node.spec?.taints ?? []).some(({ key }) => key === outOfService)) return 0
  return Math.max(0, unwantedSinceMs(attachment.metadata.name) + UNMOUNT_WAIT_MS - nowMs)
}

function refusals({ pods, volume, attachments }: VolumeFacts, nodes: readonly string[]): VolumePlan['refused'] {
  const holders = new Set(attachments.map(({ spec }) => spec?.nodeName ?? ''))
  const users = pods.filter(({ spec }) => !nodes.includes(spec.nodeName!))
  const name = volume!.metadata.name
  return pods
    .filter(({ spec }) => nodes.includes(spec.nodeName!))
    .map((pod) => ({
      pod,
      message: `Multi-Attach error for volume "${name}" ${because(pod, users, holders.size > 0)}`,
    }))
}

function because(pod: Pod, users: readonly Pod[], isHeld: boolean): string {
  if (users.length === 0 && isHeld)
    return "Volume is already exclusively attached to one node and can't be attached to another"
  const near = users.filter(({ metadata }) => metadata.namespace === pod.metadata.namespace)
  if (near.length === 0) return `Volume is already used by ${users.length} pod(s) in different namespaces`
  const names = near.map(({ metadata }) => metadata.name).join(', ')
  const far = users.length - near.length
  return far === 0
    ? `Volume is already used by pod(s) ${names}`
    : `Volume is already used by pod(s) ${names} and ${far} pod(s) in different namespaces`
}
