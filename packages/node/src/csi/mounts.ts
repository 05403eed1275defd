// Mounts CSI volumes for pods by asking their drivers: attached → staged for the node → published for the pod; and gives
// them back. What is done stands in files and in the kernel's table of mounts, so that every step may run again.

import { mkdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { csiDrivers, secrets, volumeAttachments } from '@aksel/api/resources'
import type { Pod, SecretReference } from '@aksel/api/types/core-v1'
import type { CSIDriver } from '@aksel/api/types/storage-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readMounts } from '@aksel/host/mount-table'
import { publicPathOf } from '../plugins/kubelet-directory.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { requestPodToken } from '../volumes/service-account-token.ts'
import { attachmentName, checkMode, fsGroupBy, podInfo, stagingPath, volumeCapability } from './csi-volume.ts'
import type { CsiVolume } from './csi-volume.ts'
import type { CsiDriver, NodeCapability } from './driver.ts'
import type { CsiDrivers } from './drivers.ts'
import { LOOK_AGAIN_MS } from '../volumes/claim-growth.ts'
import { expandVolume } from './expand.ts'
import { readVolumeData, removeVolumeData, volumesOfPods, writeVolumeData } from './volume-data.ts'
import type { VolumeData } from './volume-data.ts'

export interface CsiMountsOptions {
  readonly client: Client
  readonly drivers: CsiDrivers
  readonly rootDirectory: string
  readonly nodeName: string
}

export interface CsiMountRequest {
  readonly pod: Pod
  readonly volume: CsiVolume
  /** The volume's folder in its pod's. */
  readonly directory: string
}

/** How often a driver that wants it publishes anew, and how often a volume is looked at for more room. */
const RETRY_MS = 10_000

interface Asked {
  readonly driver: CsiDriver
  readonly object: CSIDriver | undefined
  readonly capabilities: ReadonlySet<NodeCapability>
  readonly publishContext: Readonly<Record<string, string>>
}

export class CsiMounts {
  readonly #options: CsiMountsOptions
  /** The work on each volume is done one piece after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: CsiMountsOptions) {
    this.#options = options
  }

  /** Idempotent; asks the driver again where it wants to be asked. Rejects in upstream's words. */
  mount(scope: Scope, request: CsiMountRequest): Promise<MountedVolume> {
    const { driver, handle } = request.volume
    return this.#inTurn(`${driver}^${handle}`, () => this.#mount(scope, request))
  }

  /** `directory` is the volume's folder in its pod's. Idempotent. */
  unmount(directory: string, data: VolumeData): Promise<void> {
    return this.#inTurn(`${data.driverName}^${data.volumeHandle}`, () => this.#unmount(directory, data))
  }

  async #mount(scope: Scope, { pod, volume, directory }: CsiMountRequest): Promise<MountedVolume> {
    const target = join(directory, 'mount')
    const object = await ignoreReason('NotFound', this.#options.client.get(csiDrivers, { name: volume.driver }))
    checkMode(volume, object)
    const isMounted = (await readMounts()).some(({ mountPoint }) => mountPoint === target)
    try {
      const asked = await this.#ask(volume, object)
      const fsGroupApplier = fsGroupBy(volume, object?.spec.fsGroupPolicy, asked.capabilities)
      const group = fsGroupApplier === 'driver' ? pod.spec.securityContext?.fsGroup : undefined
      const capability = volumeCapability(volume, asked.capabilities, group)
      const staged = asked.capabilities.has('STAGE_UNSTAGE_VOLUME') && volume.mode === 'Persistent'
      await writeVolumeData(directory, this.#dataOf(volume, staged))
      const staging = stagingPath(this.#options.rootDirectory, volume.driver, volume.handle)
      if (staged) await this.#stage(asked, { volume, staging, capability })
      const refreshAtMs = await this.#publish(scope, asked, { pod, volume, target, capability, staged })
      const grown = await expandVolume(scope, this.#options, {
        volume,
        node: asked.driver.node,
        capabilities: asked.capabilities,
        volumePath: this.#public(target),
        stagingPath: staged ? this.#public(staging) : '',
        capability,
        secrets: await this.#secret(volume.expandSecret),
      })
      const times = [refreshAtMs, grown.mayGrow ? scope.clock.now() + LOOK_AGAIN_MS : undefined].filter(
        (time) => time !== undefined,
      )
      return {
        hostPath: target,
        ownedByGroup: fsGroupApplier === 'agent',
        readOnly: volume.readOnly,
        ...(volume.isBlock ? { isBlock: true } : {}),
        ...(times.length === 0 ? {} : { refreshAtMs: Math.min(...times) }),
      }
    } catch (error) {
      // A volume that is there serves its pod, whatever becomes of its driver.
      if (!isMounted) throw error
      scope.log.warn('a mounted CSI volume was not refreshed', { error, volume: volume.specName })
      const refreshAtMs = scope.clock.now() + RETRY_MS
      const { isBlock, readOnly } = volume
      return { hostPath: target, ownedByGroup: false, readOnly, refreshAtMs, ...(isBlock ? { isBlock } : {}) }
    }
  }

  async #ask(volume: CsiVolume, object: CSIDriver | undefined): Promise<Asked> {
    const driver = this.#driver(volume.driver, 'mounter.SetUpAt')
    const publishContext = await this.#attachment(volume, object)
    return { driver, object, capabilities: await driver.capabilities(), publishContext }
  }

  #driver(name: string, step: string): CsiDriver {
    try {
      return this.#options.drivers.get(name)
    } catch (error) {
      throw new Error(`kubernetes.io/csi: ${step} failed to get CSI client: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /** What the attaching of the volume to this node gave. */
  async #attachment(volume: CsiVolume, object: CSIDriver | undefined): Promise<Readonly<Record<string, string>>> {
    if (volume.mode === 'Ephemeral' || object?.spec.attachRequired === false) return {}
    const name = attachmentName(volume.handle, volume.driver, this.#options.nodeName)
    const found = await ignoreReason('NotFound', this.#options.client.get(volumeAttachments, { name }))
    const attachError = found?.status?.attachError?.message
    if (found?.status?.attached === true) return found.status.attachmentMetadata ?? {}
    const why =
      attachError ?? (found === undefined ? `volumeattachments "${name}" not found` : 'it is not attached yet')
    throw new Error(`kubernetes.io/csi: volume ${volume.handle} is not attached to node: ${why}`)
  }

  async #stage(
    { driver, publishContext }: Asked,
    facts: { readonly volume: CsiVolume; readonly staging: string; readonly capability: object },
  ): Promise<void> {
    const { volume, staging, capability } = facts
    await writeVolumeData(dirname(staging), { driverName: volume.driver, volumeHandle: volume.handle })
    await mkdir(staging, { recursive: true, mode: 0o750 })
    await driver.node.unary('NodeStageVolume', {
      volumeId: volume.handle,
      publishContext,
      stagingTargetPath: this.#public(staging),
      volumeCapability: capability,
      secrets: await this.#secret(volume.stageSecret),
      volumeContext: volume.attributes,
    })
  }

  /** The time at which it must be published anew, if it must. */
  async #publish(
    scope: Scope,
    { driver, object, publishContext }: Asked,
    facts: {
      readonly pod: Pod
      readonly volume: CsiVolume
      readonly target: string
      readonly capability: object
      readonly staged: boolean
    },
  ): Promise<number | undefined> {
    const { pod, volume, target, capability, staged } = facts
    const { podInfoOnMount, requiresRepublish, tokenRequests = [] } = object?.spec ?? {}
    const tokens: Record<string, { readonly token: string; readonly expirationTimestamp: string }> = {}
    const times: number[] = requiresRepublish === true ? [scope.clock.now() + LOOK_AGAIN_MS] : []
    for (const wish of tokenRequests) {
      const { token, expirationTimestamp, refreshAtMs } = await requestPodToken(scope, this.#options.client, pod, {
        ...wish,
        path: '',
      })
      tokens[wish.audience] = { token, expirationTimestamp }
      // Only a driver that is published anew sees another token.
      if (requiresRepublish === true) times.push(refreshAtMs)
    }
    const staging = stagingPath(this.#options.rootDirectory, volume.driver, volume.handle)
    await driver.node.unary('NodePublishVolume', {
      volumeId: volume.handle,
      publishContext,
      stagingTargetPath: staged ? this.#public(staging) : '',
      targetPath: this.#public(target),
      volumeCapability: capability,
      readonly: volume.readOnly,
      secrets: await this.#secret(volume.publishSecret),
      volumeContext: {
        ...volume.attributes,
        ...(podInfoOnMount === true ? podInfo(pod, volume) : {}),
        ...(tokenRequests.length === 0 ? {} : { 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens) }),
      },
    })
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async #unmount(directory: string, data: VolumeData): Promise<void> {
    const { driverName, volumeHandle } = data
    // Read again: another may have given it back before it was our turn.
    if ((await readVolumeData(directory)) === undefined) return
    const { node } = this.#driver(driverName, 'Unmounter.TearDownAt')
    const targetPath = this.#public(join(directory, 'mount'))
    await node.unary('NodeUnpublishVolume', { volumeId: volumeHandle, targetPath })
    await removeVolumeData(directory)
    if (data.staged !== true) return
    const others = await volumesOfPods(this.#options.rootDirectory)
    if (others.some((other) => other.driverName === driverName && other.volumeHandle === volumeHandle)) return
    const staging = stagingPath(this.#options.rootDirectory, driverName, volumeHandle)
    await node.unary('NodeUnstageVolume', { volumeId: volumeHandle, stagingTargetPath: this.#public(staging) })
    // Not recursive: were it still mounted, this fails rather than empties the volume.
    await rmdir(staging).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await rm(dirname(staging), { recursive: true, force: true })
  }

  #dataOf({ driver, handle, specName, mode }: CsiVolume, staged: boolean): VolumeData {
    return {
      driverName: driver,
      volumeHandle: handle,
      specVolID: specName,
      nodeName: this.#options.nodeName,
      volumeLifecycleMode: mode,
      ...(staged ? { staged } : {}),
    }
  }

  #public(path: string): string {
    return publicPathOf(this.#options.rootDirectory, path)
  }

  async #secret(reference: SecretReference | undefined): Promise<Readonly<Record<string, string>>> {
    if (reference?.name === undefined) return {}
    const { namespace = 'default', name } = reference
    const { data = {} } = await this.#options.client.get(secrets, { namespace, name })
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    )
  }

  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    this.#turns.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === mine) this.#turns.delete(key)
    }
  }
}
