// The ConfigMaps and Secrets that pods of this node refer to, each kept current by a watch of its own: a node may read
// what its pods name and nothing else.

import { clusterTrustBundles, configMaps, secrets } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { ClusterTrustBundle, PodCertificateRequest } from '@aksel/api/types/certificates-v1beta1'
import type { ConfigMap, Pod, Secret } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { Informer, type Selection } from '@aksel/runtime/informer'
import { allContainers } from './pod/names.ts'
import { PodCertificates, requestsOf } from './volumes/pod-certificate.ts'

export interface PodObjects extends Disposable {
  /** Resolves when all are read once, or known to be missing. */
  synced(signal: AbortSignal): Promise<void>
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
  /** Undefined where they could not be read yet. Of pods that refer to some. */
  trustBundles(): readonly ClusterTrustBundle[] | undefined
  /** Likewise; of all pods of the node. */
  certificateRequests(): readonly PodCertificateRequest[] | undefined
  /** What the pod's volumes were given, or wait for. */
  readonly certificates: PodCertificates
}

interface Watched {
  readonly informer: Informer<KubernetesObject>
  readonly stop: AbortController
  readonly users: Set<() => void>
}

interface Held {
  readonly key: string
  readonly watched: Watched
}

/** Objects of a version that may be switched off. */
interface HeldList<T> extends Held {
  /** Undefined until they have been read. */
  list(): readonly T[] | undefined
  readonly read: Promise<void>
}

/** So long a pod waits for such a version before it says what is missing. */
const UNSERVED_MS = 3_000

export class ObjectWatches {
  readonly #scope: Scope
  readonly #client: Client
  readonly #node: { readonly name: string; readonly minor: string }
  readonly #watched = new Map<string, Watched>()

  constructor(scope: Scope, client: Client, node: { readonly name: string; readonly minor: string }) {
    this.#scope = scope
    this.#client = client
    this.#node = node
  }

  /** Watches all that the pod names until disposed; `onChange` is called whenever one of them changes. */
  forPod(pod: Pod, onChange: () => void): PodObjects {
    const namespace = pod.metadata.namespace ?? 'default'
    const names = referencesOf(pod)
    const { clock } = this.#scope
    const held = [
      ...names.configMaps.map((name) => this.#hold(configMaps, namespace, name, onChange)),
      ...names.secrets.map((name) => this.#hold(secrets, namespace, name, onChange)),
    ]
    const bundles = names.trustBundles ? this.#holdAll(clusterTrustBundles, {}, onChange) : undefined
    const ownRequests = { fieldSelector: `spec.nodeName=${this.#node.name}` }
    const requests = names.podCertificates
      ? this.#holdAll(requestsOf(this.#node.minor), ownRequests, onChange)
      : undefined
    const lists = [bundles, requests].filter((each) => each !== undefined)
    const get = <T extends KubernetesObject>(type: ResourceType<T>, name: string): T | undefined =>
      this.#watched.get(`${type.plural}/${namespace}/${name}`)?.informer.get(`${namespace}/${name}`) as T | undefined
    return {
      async synced(signal) {
        await Promise.all(held.map(({ watched }) => watched.informer.synced(signal)))
        // Their version may be switched off: whoever mounts them says so.
        if (lists.length === 0) return
        await Promise.race([Promise.all(lists.map(({ read }) => read)), sleep(clock, UNSERVED_MS, signal)])
      },
      configMap: (name) => get(configMaps, name),
      secret: (name) => get(secrets, name),
      trustBundles: () => bundles?.list(),
      certificateRequests: () => requests?.list(),
      certificates: new PodCertificates(),
      [Symbol.dispose]: () => {
        for (const { key, watched } of [...held, ...lists]) this.#release(key, watched, onChange)
      },
    }
  }

  #hold<T extends KubernetesObject>(
    type: ResourceType<T>,
    namespace: string,
    name: string,
    onChange: () => void,
  ): Held {
    const selection = { namespace, fieldSelector: `metadata.name=${name}` }
    return this.#watch(type, `${type.plural}/${namespace}/${name}`, selection, onChange)
  }

  #holdAll<T extends KubernetesObject>(type: ResourceType<T>, selection: Selection, onChange: () => void): HeldList<T> {
    const held = this.#watch(type, type.plural, selection, onChange)
    const { informer } = held.watched
    let isRead = false
    const read = informer.synced(this.#scope.signal).then(() => {
      isRead = true
    })
    read.catch(() => {})
    return { ...held, read, list: () => (isRead ? (informer.list() as readonly T[]) : undefined) }
  }

  #watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    key: string,
    selection: Selection,
    onChange: () => void,
  ): Held {
    const known = this.#watched.get(key)
    if (known !== undefined) {
      known.users.add(onChange)
      return { key, watched: known }
    }
    const stop = new AbortController()
    const informer = new Informer(childScope(this.#scope, {}, stop.signal), this.#client, type, selection)
    const watched: Watched = {
      informer: informer as unknown as Informer<KubernetesObject>,
      stop,
      users: new Set([onChange]),
    }
    informer.subscribe(() => {
      for (const tell of watched.users) tell()
    })
    void informer.run()
    this.#watched.set(key, watched)
    return { key, watched }
  }

  #release(key: string, watched: Watched, onChange: () => void): void {
    watched.users.delete(onChange)
    if (watched.users.size > 0) return
    this.#watched.delete(key)
    watched.stop.abort(new Error('no pod refers to it any more'))
  }
}

/** The names of the ConfigMaps and Secrets in a pod's specification, each once. */
export function referencesOf(pod: Pod): {
  readonly configMaps: readonly string[]
  readonly secrets: readonly string[]
  /** Whether it refers to any. */
  readonly trustBundles: boolean
  readonly podCertificates: boolean
} {
  const maps = new Set<string>()
  const secretNames = new Set<string>()
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== '') set.add(name)
  }
  for (const container of allContainers(pod)) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add(maps, configMapRef?.name)
      add(secretNames, secretRef?.name)
    }
    for (const { valueFrom } of container.env ?? []) {
      add(maps, valueFrom?.configMapKeyRef?.name)
      add(secretNames, valueFrom?.secretKeyRef?.name)
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add(maps, volume.configMap?.name)
    add(secretNames, volume.secret?.secretName)
    for (const source of volume.projected?.sources ?? []) {
      add(maps, source.configMap?.name)
      add(secretNames, source.secret?.name)
    }
  }
  for (const { name } of pod.spec.imagePullSecrets ?? []) add(secretNames, name)
  const projected = (pod.spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? [])
  const trustBundles = projected.some(({ clusterTrustBundle }) => clusterTrustBundle !== undefined)
  const podCertificates = projected.some(({ podCertificate }) => podCertificate !== undefined)
  return { configMaps: [...maps], secrets: [...secretNames], trustBundles, podCertificates }
}
