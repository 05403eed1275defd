// Asks for volumes of CSI drivers to be attached to the nodes of the pods that use them, and to be let go after.
// The driver's attacher does the work on the VolumeAttachment; nobody else makes one.

import {
  csiDrivers,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttachments,
} from '@aksel/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { CSIDriver, VolumeAttachment } from '@aksel/api/types/storage-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { isTerminal } from '../pod-facts.ts'
import { claimKeysOf } from '../persistent-volume/protection.ts'
import { attachmentName, planVolume } from './judge.ts'
import { sameAttached, volumesAttachedTo } from './node-volumes.ts'

const byClaim = 'attach-detach/claim'
const byVolume = 'attach-detach/volume'
const byNode = 'attach-detach/node'
const byDriver = 'attach-detach/driver'
const source = 'attachdetach-controller'
const BEHIND_MS = 1000

/** Keys are `volume/NAME` and `node/NAME`. */
export function attachDetachController(parts: LoopParts): Controller {
  const loop = new AttachDetachLoop(parts)
  const sources = [
    { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) } satisfies Source<Pod>,
    { type: persistentVolumeClaims, keysOf: (now) => volumeOfClaim(now) } satisfies Source<PersistentVolumeClaim>,
    {
      type: persistentVolumes,
      keysOf: (now, before) =>
        (now ?? before)!.spec?.csi === undefined ? [] : [`volume/${(now ?? before)!.metadata.name}`],
    } satisfies Source<PersistentVolume>,
    {
      type: volumeAttachments,
      keysOf: (now, before) => keysOfAttachment((now ?? before)!),
    } satisfies Source<VolumeAttachment>,
    { type: nodes, keysOf: (now, before) => loop.keysOfNode(now, before) } satisfies Source<Node>,
    { type: csiDrivers, keysOf: (now, before) => loop.keysOfDriver((now ?? before)!) } satisfies Source<CSIDriver>,
  ]
  return {
    name: 'attach-detach',
    sources: sources as unknown as readonly Source[],
    workers: 10,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

function volumeOfClaim(claim: PersistentVolumeClaim | undefined): readonly string[] {
  const name = claim?.spec?.volumeName ?? ''
  return name === '' ? [] : [`volume/${name}`]
}

function keysOfAttachment({ spec }: VolumeAttachment): readonly string[] {
  const volume = spec?.source?.persistentVolumeName
  return [
    ...(volume === undefined ? [] : [`volume/${volume}`]),
    ...(spec?.nodeName === undefined ? [] : [`node/${spec.nodeName}`]),
  ]
}

/** A pod that uses volumes on a node: it was given one, and has not ended. */
function isUser(pod: Pod | undefined): pod is Pod {
  return pod !== undefined && (pod.spec?.nodeName ?? '') !== '' && !isTerminal(pod)
}

class AttachDetachLoop {
  readonly #parts: LoopParts
  readonly #pods: Cache<Pod>
  readonly #claims: Cache<PersistentVolumeClaim>
  readonly #volumes: Cache<PersistentVolume>
  readonly #attachments: Cache<VolumeAttachment>
  readonly #nodes: Cache<Node>
  readonly #drivers: Cache<CSIDriver>
  /** By attachment: when it was first found unwanted. */
  readonly #unwantedSinceMs = new Map<string, number>()
  /** By key of a volume: attachments that were asked for and that the cache did not show yet. */
  readonly #sent = new Map<string, Set<string>>()
  /** By uid of an attachment: what its pods were told last. */
  readonly #told = new Map<string, string>()

  constructor(parts: LoopParts) {
    const { caches } = parts
    this.#parts = parts
    this.#pods = caches.of(pods)
    this.#claims = caches.of(persistentVolumeClaims)
    this.#volumes = caches.of(persistentVolumes)
    this.#attachments = caches.of(volumeAttachments)
    this.#nodes = caches.of(nodes)
    this.#drivers = caches.of(csiDrivers)
    this.#pods.addIndex(byClaim, (pod) => (isUser(pod) ? claimKeysOf(pod) : []))
    this.#volumes.addIndex(byDriver, ({ spec }) => (spec?.csi?.driver === undefined ? [] : [spec.csi.driver]))
    this.#attachments.addIndex(byVolume, ({ spec }) => {
      const name = spec?.source?.persistentVolumeName
      return name === undefined ? [] : [name]
    })
    this.#attachments.addIndex(byNode, ({ spec }) => (spec?.nodeName === undefined ? [] : [spec.nodeName]))
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    if (isUser(now) === isUser(before)) return []
    return claimKeysOf((now ?? before)!).flatMap((key) => volumeOfClaim(this.#claims.get(key)))
  }

  keysOfNode(now: Node | undefined, before: Node | undefined): readonly string[] {
    const { name } = (now ?? before)!.metadata
    const held = this.#attachments.byIndex(byNode, name)
    return held.length === 0 ? [] : [`node/${name}`, ...held.flatMap(keysOfAttachment)]
  }

  keysOfDriver({ metadata }: CSIDriver): readonly string[] {
    return this.#volumes.byIndex(byDriver, metadata.name).map((volume) => `volume/${volume.metadata.name}`)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const slash = key.indexOf('/')
    const name = key.slice(slash + 1)
    if (key.startsWith('node/')) return this.#node(name)
    // Its event wakes the volume again.
    return (await this.#isBehind(name)) ? again(BEHIND_MS) : this.#volume(scope, name)
  }

  /** Whoever judged by a cache that does not show an attachment of the volume yet would give it to a second node. */
  async #isBehind(volume: string): Promise<boolean> {
    const { client } = this.#parts
    const sent = this.#sent.get(volume) ?? new Set<string>()
    for (const name of sent) {
      const isShown = this.#attachments.get(name) !== undefined
      if (!isShown && (await ignoreReason('NotFound', client.get(volumeAttachments, { name }))) !== undefined)
        return true
      sent.delete(name)
    }
    this.#sent.delete(volume)
    return false
  }

  async #volume(scope: Scope, name: string): Promise<Outcome> {
    const volume = this.#volumes.get(name)
    const driver = volume?.spec?.csi?.driver ?? ''
    const nowMs = scope.clock.monotonicMs()
    const attachments = this.#attachments.byIndex(byVolume, name)
    const users = this.#usersOf(volume)
    const plan = planVolume({
      volume,
      pods: users,
      attachments,
      nodeOf: (node) => this.#nodes.get(node),
      attachesNothing: this.#drivers.get(driver)?.spec?.attachRequired === false,
      unwantedSinceMs: (attachment) => this.#unwantedSinceMs.get(attachment) ?? nowMs,
      nowMs,
    })
    const held = new Set(plan.held.map(({ metadata }) => metadata.name))
    for (const { metadata } of attachments) if (!held.has(metadata.name)) this.#unwantedSinceMs.delete(metadata.name)
    for (const each of held) if (!this.#unwantedSinceMs.has(each)) this.#unwantedSinceMs.set(each, nowMs)
    for (const attachment of plan.detach) await this.#detach(attachment)
    for (const node of plan.attach) await this.#attach(scope, volume!, node)
    for (const { pod, message } of plan.refused) this.#tell(scope, pod, 'Warning', 'FailedAttachVolume', message)
    for (const attachment of attachments) this.#tellOutcome(scope, name, attachment, users)
    return plan.againAfterMs === undefined ? done : again(plan.againAfterMs)
  }

  #usersOf(volume: PersistentVolume | undefined): readonly Pod[] {
    const claim = volume?.spec?.claimRef
    if (claim?.name === undefined || volume?.spec?.csi === undefined) return []
    const key = `${claim.namespace}/${claim.name}`
    if (this.#claims.get(key)?.spec?.volumeName !== volume.metadata.name) return []
    return this.#pods.byIndex(byClaim, key)
  }

  async #attach(scope: Scope, volume: PersistentVolume, nodeName: string): Promise<void> {
    const { driver, volumeHandle } = volume.spec!.csi!
    const attachment: VolumeAttachment = {
      metadata: { name: attachmentName(volumeHandle, driver, nodeName) },
      spec: { attacher: driver, nodeName, source: { persistentVolumeName: volume.metadata.name } },
    }
    // Before it is asked for: an answer that is lost says nothing of what took effect.
    const sent = this.#sent.get(volume.metadata.name) ?? new Set<string>()
    this.#sent.set(volume.metadata.name, sent.add(attachment.metadata.name))
    const made = await ignoreReason('AlreadyExists', this.#parts.client.create(volumeAttachments, attachment))
    if (made !== undefined) this.#told.set(made.metadata.uid!, '')
    scope.log.debug('a volume is to be attached', { volume: volume.metadata.name, node: nodeName })
  }

  async #detach({ metadata }: VolumeAttachment): Promise<void> {
    const preconditions = { uid: metadata.uid! }
    await ignoreReason('NotFound', this.#parts.client.delete(volumeAttachments, metadata, { preconditions }))
    this.#told.delete(metadata.uid!)
  }

  /** Pods hear once that their volume is there, and each time why it is not. */
  #tellOutcome(
    scope: Scope,
    volume: string,
    { metadata, spec, status }: VolumeAttachment,
    users: readonly Pod[],
  ): void {
    const isAttached = status?.attached === true
    const error = isAttached ? undefined : status?.attachError?.message
    const news = isAttached ? 'attached' : (error ?? '')
    const before = this.#told.get(metadata.uid!)
    this.#told.set(metadata.uid!, news)
    // What was attached before this process began was told by another.
    if (news === '' || news === before || (before === undefined && isAttached)) return
    for (const pod of users.filter((user) => user.spec.nodeName === spec.nodeName))
      if (isAttached)
        this.#tell(
          scope,
          pod,
          'Normal',
          'SuccessfulAttachVolume',
          `AttachVolume.Attach succeeded for volume "${volume}" `,
        )
      else
        this.#tell(
          scope,
          pod,
          'Warning',
          'FailedAttachVolume',
          `AttachVolume.Attach failed for volume "${volume}" : ${error}`,
        )
  }

  #tell(scope: Scope, object: Pod, level: 'Normal' | 'Warning', reason: string, message: string): void {
    tell(scope, this.#parts.client, { type: pods, object, source }, level, reason, message)
  }

  /** What is attached stands in the node's status, too. */
  async #node(name: string): Promise<Outcome> {
    const node = this.#nodes.get(name)
    if (node === undefined) return done
    const wanted = volumesAttachedTo(this.#attachments.byIndex(byNode, name), (volume) => this.#volumes.get(volume))
    if (sameAttached(node.status?.volumesAttached, wanted)) return done
    const { uid, resourceVersion } = node.metadata
    const volumesAttached = wanted.length === 0 ? null : wanted
    const body = { metadata: { uid, resourceVersion }, status: { volumesAttached } }
    await this.#parts.client.patch(nodes, node.metadata, { kind: 'merge', body }, { subresource: 'status' })
    return done
  }
}
