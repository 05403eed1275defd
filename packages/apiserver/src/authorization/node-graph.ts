// What the pods of a node refer to: only that may the node read. Kept by a watch on pods, begun when the first node asks.

import type { KindRow } from '@aksel/api/kind-row'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { VolumeAttachment } from '@aksel/api/types/storage-v1'
import type { ResourceSlice } from '@aksel/api/types/resource-v1'
import { mirrorAnnotation } from '../admission/mirror-pods.ts'
import type { RecordStore } from '../registry/record-store.ts'

export interface NodeGraphRows {
  readonly pods: KindRow
  readonly persistentVolumes: KindRow
  readonly persistentVolumeClaims: KindRow
  readonly volumeAttachments: KindRow | undefined
  readonly resourceSlices: KindRow | undefined
}

export class NodeGraph {
  readonly #records: RecordStore
  readonly #rows: NodeGraphRows
  readonly #signal: AbortSignal
  /** Node name to its pods by `namespace/name`. */
  readonly #podsByNode = new Map<string, Map<string, Pod>>()
  #started: Promise<void> | undefined

  constructor(records: RecordStore, rows: NodeGraphRows, signal: AbortSignal) {
    this.#records = records
    this.#rows = rows
    this.#signal = signal
  }

  async hasPod(node: string, namespace: string, name: string): Promise<boolean> {
    return (await this.#podsOf(node)).has(`${namespace}/${name}`)
  }

  async usesSecret(node: string, namespace: string, name: string): Promise<boolean> {
    for (const pod of await this.#podsIn(node, namespace)) if (refersTo(pod.spec, secretKeys, name)) return true
    for (const volume of await this.#volumesOf(node)) {
      if (refersToSecretOfVolume(volume, namespace, name)) return true
    }
    return false
  }

  async usesConfigMap(node: string, namespace: string, name: string): Promise<boolean> {
    return (await this.#podsIn(node, namespace)).some((pod) => refersTo(pod.spec, configMapKeys, name))
  }

  async usesServiceAccount(node: string, namespace: string, name: string): Promise<boolean> {
    return (await this.#podsIn(node, namespace)).some((pod) => pod.spec?.serviceAccountName === name)
  }

  async usesClaim(node: string, namespace: string, name: string): Promise<boolean> {
    return (await this.#podsIn(node, namespace)).some((pod) => claimsOf(pod).includes(name))
  }

  async usesResourceClaim(node: string, namespace: string, name: string): Promise<boolean> {
    return (await this.#podsIn(node, namespace)).some(({ spec, status }) =>
      [...(spec.resourceClaims ?? []), ...(status?.resourceClaimStatuses ?? [])].some(
        ({ resourceClaimName }) => resourceClaimName === name,
      ),
    )
  }

  async usesVolume(node: string, name: string): Promise<boolean> {
    return (await this.#volumesOf(node)).some((volume) => volume.metadata.name === name)
  }

  async ownsAttachment(node: string, name: string): Promise<boolean> {
    if (this.#rows.volumeAttachments === undefined) return false
    const record = await this.#records.get(this.#rows.volumeAttachments, '', name)
    return (record?.object as VolumeAttachment | undefined)?.spec.nodeName === node
  }

  async ownsSlice(node: string, name: string): Promise<boolean> {
    if (this.#rows.resourceSlices === undefined || name === '') return false
    const record = await this.#records.get(this.#rows.resourceSlices, '', name)
    return (record?.object as ResourceSlice | undefined)?.spec.nodeName === node
  }

  /** Those whose references count: a node makes the mirrors of its static pods itself, and opens nothing by them. */
  async #podsIn(node: string, namespace: string): Promise<readonly Pod[]> {
    return [...(await this.#podsOf(node)).values()].filter(
      (pod) => pod.metadata.namespace === namespace && !isMirror(pod),
    )
  }

  async #podsOf(node: string): Promise<ReadonlyMap<string, Pod>> {
    await (this.#started ??= this.#start())
    return this.#podsByNode.get(node) ?? new Map()
  }

  async #volumesOf(node: string): Promise<readonly PersistentVolume[]> {
    const volumes: PersistentVolume[] = []
    for (const pod of (await this.#podsOf(node)).values()) {
      if (isMirror(pod)) continue
      for (const claim of claimsOf(pod)) {
        const record = await this.#records.get(this.#rows.persistentVolumeClaims, pod.metadata.namespace!, claim)
        const volumeName = (record?.object as PersistentVolumeClaim | undefined)?.spec?.volumeName
        if (volumeName === undefined) continue
        const volume = await this.#records.get(this.#rows.persistentVolumes, '', volumeName)
        // The volume itself says whose it is: a claim may name one that belongs to another.
        const owner = (volume?.object as PersistentVolume | undefined)?.spec.claimRef
        if (owner?.name === claim && owner.namespace === pod.metadata.namespace)
          volumes.push(volume!.object as PersistentVolume)
      }
    }
    return volumes
  }

  async #start(): Promise<void> {
    const page = await this.#records.page(this.#rows.pods, { namespace: '' })
    for (const record of page.records) this.#file(record.object as Pod)
    this.#records.watch(this.#rows.pods, {
      namespace: '',
      name: '',
      afterRevision: page.revision,
      signal: this.#signal,
      deliver: (changes) => {
        for (const { type, record, before } of changes) {
          if (before !== undefined) this.#forget(before.object as Pod)
          if (type !== 'DELETED') this.#file(record.object as Pod)
        }
      },
      ended: () => {
        this.#started = undefined
        this.#podsByNode.clear()
      },
    })
  }

  #file(pod: Pod): void {
    const node = pod.spec?.nodeName
    if (node === undefined || node === '') return
    let pods = this.#podsByNode.get(node)
    if (pods === undefined) this.#podsByNode.set(node, (pods = new Map()))
    pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod)
  }

  #forget(pod: Pod): void {
    const node = pod.spec?.nodeName
    if (node === undefined) return
    const pods = this.#podsByNode.get(node)
    pods?.delete(`${pod.metadata.namespace}/${pod.metadata.name}`)
    if (pods?.size === 0) this.#podsByNode.delete(node)
  }
}

function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.[mirrorAnnotation] !== undefined
}

function claimsOf(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName]
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`]
  })
}

/** Fields whose value refers to a secret, in a pod's spec, wherever they stand. */
const secretKeys: ReadonlySet<string> = new Set([
  'secretRef',
  'secretKeyRef',
  'secret',
  'imagePullSecrets',
  'nodePublishSecretRef',
  'azureFile',
])
const configMapKeys: ReadonlySet<string> = new Set(['configMapRef', 'configMapKeyRef', 'configMap'])

function refersTo(value: unknown, keys: ReadonlySet<string>, name: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((item) => refersTo(item, keys, name))
  return Object.entries(value).some(
    ([key, item]) => (keys.has(key) && namesOf(item).includes(name)) || refersTo(item, keys, name),
  )
}

function namesOf(reference: unknown): readonly unknown[] {
  if (Array.isArray(reference)) return reference.flatMap(namesOf)
  const { name, secretName } = (reference ?? {}) as { readonly name?: unknown; readonly secretName?: unknown }
  return [name, secretName]
}

/** Those that controllers use are nothing to a node. */
function refersToSecretOfVolume(value: unknown, namespace: string, name: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((item) => refersToSecretOfVolume(item, namespace, name))
  return Object.entries(value).some(([key, item]) => {
    const reference = (item ?? {}) as { readonly name?: unknown; readonly namespace?: unknown }
    if (key.startsWith('controller')) return false
    const isReference = /secretref$/i.test(key) && reference.name === name && reference.namespace === namespace
    return isReference || refersToSecretOfVolume(item, namespace, name)
  })
}
