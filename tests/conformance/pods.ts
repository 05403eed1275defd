// Pods for the conformance tests: made, waited for by a watch, read.

import assert from 'node:assert/strict'
import type { CoreV1Api, V1Container, V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { busybox, type ConformanceCluster } from './cluster.ts'
import { watched } from './watched.ts'

/** Waits this long for a pod at most; the last state seen stands in the error. */
const WAIT_MS = 60_000

export class Pods {
  readonly #cluster: ConformanceCluster
  readonly namespace: string

  constructor(cluster: ConformanceCluster, namespace: string) {
    this.#cluster = cluster
    this.namespace = namespace
  }

  get core(): CoreV1Api {
    return this.#cluster.core
  }

  create(name: string, spec: V1PodSpec, metadata: V1ObjectMeta = {}): Promise<V1Pod> {
    const body: V1Pod = {
      metadata: changed(metadata, { name }),
      spec: changed(spec, { terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 1 }),
    }
    return this.core.createNamespacedPod({ namespace: this.namespace, body })
  }

  /** Resolves with the pod once it is as wanted; rejects with its last state after a deadline. */
  until(name: string, isWanted: (pod: V1Pod) => boolean, waitMs = WAIT_MS): Promise<V1Pod> {
    return watched<V1Pod>(this.#cluster.config, {
      path: `/api/v1/namespaces/${this.namespace}/pods`,
      name,
      isWanted: (pod) => pod !== undefined && isWanted(pod),
      waitMs,
    }) as Promise<V1Pod>
  }

  running(name: string): Promise<V1Pod> {
    return this.until(name, ({ status }) => status?.phase === 'Running')
  }

  ready(name: string): Promise<V1Pod> {
    return this.until(name, isReady)
  }

  /** Rejects at once where the pod failed instead. */
  async succeeded(name: string): Promise<V1Pod> {
    const pod = await this.until(name, ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed')
    if (pod.status?.phase !== 'Succeeded')
      assert.fail(`pod ${name} failed: ${JSON.stringify(pod.status)}\n${await this.log(name).catch(String)}`)
    return pod
  }

  gone(name: string, waitMs = WAIT_MS): Promise<unknown> {
    return watched<V1Pod>(this.#cluster.config, {
      path: `/api/v1/namespaces/${this.namespace}/pods`,
      name,
      isWanted: (pod) => pod === undefined,
      waitMs,
    })
  }

  log(name: string, container?: string): Promise<string> {
    return this.core.readNamespacedPodLog({
      namespace: this.namespace,
      name,
      ...(container === undefined ? {} : { container }),
    })
  }

  /** Follows the log until it matches; rejects after a deadline, or when the log ends without that. */
  async logHolds(name: string, pattern: RegExp, container?: string): Promise<string> {
    await this.until(name, ({ status }) => {
      const own = status?.containerStatuses?.filter((each) => (container ?? each.name) === each.name) ?? []
      return own.length > 0 && own.every(({ state }) => (state?.running ?? state?.terminated) !== undefined)
    })
    await using following = this.#cluster.aksel.start([
      'kubectl',
      '-n',
      this.namespace,
      'logs',
      '-f',
      name,
      ...(container === undefined ? [] : ['-c', container]),
    ])
    return await following.says(pattern, WAIT_MS)
  }

  /** Runs a pod of one container to its end and answers its log. */
  async output(name: string, container: Partial<V1Container>, spec: Partial<V1PodSpec> = {}): Promise<string> {
    await this.create(name, {
      restartPolicy: 'Never',
      ...spec,
      containers: [{ name: 'test', image: busybox, ...container }],
    })
    await this.succeeded(name)
    return this.log(name)
  }

  /** Output of a command in a container. */
  exec(name: string, command: readonly string[], container?: string): Promise<string> {
    const args = ['-n', this.namespace, 'exec', name, ...(container === undefined ? [] : ['-c', container])]
    return this.#cluster.aksel.kubectl([...args, '--', ...command])
  }

  delete(name: string, gracePeriodSeconds = 0): Promise<unknown> {
    return this.core.deleteNamespacedPod({ namespace: this.namespace, name, gracePeriodSeconds })
  }
}

export function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
}

/** A container that counts as ready once it listens: a process that has started may take seconds until then. */
export function serving(port: number, container: V1Container): V1Container {
  return changed(container, { readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } })
}

/** A namespace of its own and its pods. */
export async function podsIn(cluster: ConformanceCluster, name: string): Promise<Pods> {
  return new Pods(cluster, await cluster.namespace(name))
}

let count = 0
/** A name that no other object of this process has. */
export function fresh(prefix: string): string {
  count += 1
  return `${prefix}-${count}`
}

/** A copy with some fields changed; the client's objects are of classes, which no spread may copy. */
export function changed<T extends object>(object: T, change: { readonly [K in keyof T]?: unknown }): T {
  return Object.assign(Object.create(Object.getPrototypeOf(object) as object) as T, object, change)
}
