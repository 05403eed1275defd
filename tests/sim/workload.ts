// What people do to a simulated cluster, and what must be true of it once everything is whole again.

import {
  configMaps,
  deployments,
  jobs,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  statefulSets,
  storageClasses,
} from '@aksel/api/resources'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'

export const NAMESPACE = 'work'
const image = 'app:1'

/** Objects of every kind that the safety rules speak of. */
export async function deploy(client: Client): Promise<void> {
  await client.create(namespaces, { metadata: { name: NAMESPACE }, spec: {} })
  const metadata = (name: string) => ({ name, namespace: NAMESPACE })
  const template = (app: string, volumes: object = {}) => ({
    metadata: { labels: { app } },
    spec: {
      containers: [{ name: 'c', image, resources: { requests: { cpu: '200m' } } }],
      automountServiceAccountToken: false,
      ...volumes,
    },
  })
  await client.create(storageClasses, {
    metadata: { name: 'static' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  })
  await client.create(persistentVolumes, {
    metadata: { name: 'disk' },
    spec: {
      storageClassName: 'static',
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOncePod'],
      hostPath: { path: '/disk' },
    },
  })
  await client.create(persistentVolumeClaims, {
    metadata: metadata('single'),
    spec: {
      storageClassName: 'static',
      accessModes: ['ReadWriteOncePod'],
      resources: { requests: { storage: '1Gi' } },
    },
  })
  await client.create(deployments, {
    metadata: metadata('web'),
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      template: template('web'),
    },
  })
  const volumes = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'single' } }] }
  await client.create(deployments, {
    metadata: metadata('writer'),
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'writer' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      template: template('writer', volumes),
    },
  })
  await client.create(statefulSets, {
    metadata: metadata('db'),
    spec: { replicas: 3, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template('db') },
  })
  const ofJob = template('batch')
  await client.create(jobs, {
    metadata: metadata('batch'),
    spec: {
      parallelism: 2,
      completions: 5,
      template: { ...ofJob, spec: { ...ofJob.spec, restartPolicy: 'OnFailure' } },
    },
  })
}

/** What one writer was told of its writes: an answer is a promise, silence is not. */
export class Ledger {
  readonly #client: Client
  /** By name: the values that may stand there. */
  readonly #possible = new Map<string, Set<string>>()
  readonly #writing = new Set<string>()
  #count = 0

  constructor(client: Client) {
    this.#client = client
  }

  get promises(): number {
    return this.#count
  }

  /** One write of a name at a time: of two at once nobody knows which came last. */
  async write(name: string, value: string): Promise<void> {
    if (this.#writing.has(name)) return
    this.#writing.add(name)
    await this.#write(name, value)
    this.#writing.delete(name)
  }

  async #write(name: string, value: string): Promise<void> {
    const object: ConfigMap = { metadata: { name, namespace: NAMESPACE }, data: { value } }
    const possible = this.#possible.get(name) ?? new Set<string>()
    this.#possible.set(name, possible)
    if (possible.size === 0) possible.add('nothing')
    possible.add(value)
    try {
      try {
        await this.#client.update(configMaps, object)
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error
        await this.#client.create(configMaps, object)
      }
    } catch {
      // It may have taken effect, now or a little later, or not.
      return
    }
    this.#count += 1
    possible.clear()
    possible.add(value)
  }

  /** What was promised and does not stand there. */
  async lost(observer: Client): Promise<readonly string[]> {
    const { items } = await observer.list(configMaps, { namespace: NAMESPACE })
    const found = new Map(items.map(({ metadata, data }) => [metadata.name, data?.['value'] ?? 'nothing']))
    return [...this.#possible].flatMap(([name, possible]) => {
      const value = found.get(name) ?? 'nothing'
      return possible.has(value)
        ? []
        : [`config map "${name}" holds "${value}", not ${[...possible].map((one) => `"${one}"`).join(' or ')}`]
    })
  }
}

/** What is not as it was asked for (yet). */
export async function unfinished(observer: Client): Promise<readonly string[]> {
  const open: string[] = []
  const inside = { namespace: NAMESPACE }
  for (const { metadata, spec, status } of (await observer.list(deployments, inside)).items) {
    const wanted = spec?.replicas ?? 1
    const isDone =
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === wanted &&
      status.availableReplicas === wanted &&
      status.replicas === wanted
    if (!isDone) open.push(`deployment ${metadata.name}: ${JSON.stringify(status)}`)
  }
  for (const { metadata, spec, status } of (await observer.list(statefulSets, inside)).items)
    if (status?.readyReplicas !== (spec?.replicas ?? 1))
      open.push(`stateful set ${metadata.name}: ${JSON.stringify(status)}`)
  for (const { metadata, status } of (await observer.list(jobs, inside)).items)
    if (status?.conditions?.some(({ type, status: is }) => type === 'Complete' && is === 'True') !== true)
      open.push(`job ${metadata.name}: ${JSON.stringify(status)}`)
  for (const { metadata, spec, status } of (await observer.list(pods, inside)).items)
    if ((spec.nodeName ?? '') === '')
      open.push(`pod ${metadata.name} has no node: ${JSON.stringify(status?.conditions)}`)
  return open
}
