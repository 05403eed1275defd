// What group `arm` orders of the front door, as every client would, and how long each takes: a PUT counts until its operation succeeded
// and the cluster says so.

import { ArmError } from '@aksel/base/errors'
import type { ArmClient } from '../../arm-client.ts'

const LOCATION = 'westeurope'
const SIMULATED = { 'aksel.simulated': 'true' }

interface ClusterBody {
  readonly properties: {
    readonly provisioningState: string
    readonly agentPoolProfiles: readonly { readonly name: string; readonly count: number }[]
  }
}

export interface Lists {
  readonly p99Seconds: number
  readonly clusters: number
  readonly bytes: number
}

export class ArmLoad {
  readonly #arm: ArmClient
  readonly #group: string

  constructor(arm: ArmClient, subscriptionId: string) {
    this.#arm = arm
    this.#group = `/subscriptions/${subscriptionId}/resourceGroups/bench`
  }

  async makeGroup(): Promise<void> {
    await this.#arm.send({ method: 'PUT', path: this.#group, body: { location: LOCATION } })
  }

  /** The median of twenty reads. */
  async readSeconds(): Promise<number> {
    const taken: number[] = []
    for (let read = 0; read < 20; read += 1) {
      taken.push(await seconds(() => this.#arm.send({ method: 'GET', path: this.#group })))
    }
    return taken.toSorted((left, right) => left - right)[10]!
  }

  /** Seconds of the cluster with one real node, and of one more node; it is gone afterwards. */
  async realCluster(name: string): Promise<readonly [cluster: number, node: number]> {
    const cluster = await seconds(() => this.#put(name, { count: 1 }))
    const node = await seconds(() => this.#scale(name, 2))
    await this.#delete(name)
    return [cluster, node]
  }

  async simulatedPool(nodes: number): Promise<number> {
    await this.#put('crowd', { count: 1, tags: SIMULATED, network: { podCidr: '10.64.0.0/12' } })
    const taken = await seconds(() => this.#scale('crowd', nodes))
    await this.#delete('crowd')
    return taken
  }

  async upgrade(nodes: number): Promise<number> {
    const upgradeSettings = { maxSurge: '33%' }
    const pool = { count: nodes, tags: SIMULATED, upgradeSettings }
    await this.#put('old', { ...pool, version: '1.35' })
    const taken = await seconds(() => this.#put('old', { ...pool, version: '1.36' }))
    await this.#delete('old')
    return taken
  }

  async together(clusters: number): Promise<number> {
    const names = Array.from({ length: clusters }, (_, at) => `side${at}`)
    const taken = await seconds(() => Promise.all(names.map((name) => this.#put(name, { count: 1, tags: SIMULATED }))))
    await Promise.all(names.map((name) => this.#delete(name)))
    return taken
  }

  async lists(size: { readonly clusters: number; readonly lists: number }): Promise<Lists> {
    const names = Array.from({ length: size.clusters }, (_, at) => `many${at}`)
    for (let at = 0; at < names.length; at += 20) {
      await Promise.all(names.slice(at, at + 20).map((name) => this.#put(name, { count: 1, tags: SIMULATED })))
    }
    const path = `${this.#group}/providers/Microsoft.ContainerService/managedClusters`
    const taken: number[] = []
    let bytes = 0
    for (let list = 0; list < size.lists; list += 1) {
      let found = 0
      const each = await seconds(async () => {
        for (let next: string | undefined = path; next !== undefined;) {
          const page: { readonly body: { readonly value: readonly unknown[]; readonly nextLink?: string } } =
            await this.#arm.send({ method: 'GET', path: next })
          found += page.body.value.length
          bytes = JSON.stringify(page.body).length
          next = page.body.nextLink
        }
      })
      if (found !== size.clusters) throw new Error(`A list has ${found} clusters of ${size.clusters}`)
      taken.push(each)
    }
    for (let at = 0; at < names.length; at += 20)
      await Promise.all(names.slice(at, at + 20).map((name) => this.#delete(name)))
    const p99Seconds = taken.toSorted((left, right) => left - right)[Math.floor(taken.length * 0.99)]!
    return { p99Seconds, clusters: size.clusters, bytes }
  }

  #path(name: string): string {
    return `${this.#group}/providers/Microsoft.ContainerService/managedClusters/${name}`
  }

  async #put(
    name: string,
    wish: {
      readonly count: number
      readonly tags?: Readonly<Record<string, string>>
      readonly version?: string
      readonly upgradeSettings?: object
      readonly network?: object
    },
  ): Promise<void> {
    const { count, tags, version, upgradeSettings, network } = wish
    const pool = {
      name: 'nodes',
      mode: 'System',
      count,
      ...(version === undefined ? {} : { orchestratorVersion: version }),
      ...(upgradeSettings === undefined ? {} : { upgradeSettings }),
    }
    const properties = {
      dnsPrefix: name,
      agentPoolProfiles: [pool],
      ...(version === undefined ? {} : { kubernetesVersion: version }),
      ...(network === undefined ? {} : { networkProfile: network }),
    }
    const body = { location: LOCATION, ...(tags === undefined ? {} : { tags }), properties }
    await this.#arm.wait(await this.#arm.send({ method: 'PUT', path: this.#path(name), body }))
    await this.#judge(name, count)
  }

  async #scale(name: string, count: number): Promise<void> {
    const path = `${this.#path(name)}/agentPools/nodes`
    const body = { properties: { mode: 'System', count } }
    await this.#arm.wait(await this.#arm.send({ method: 'PUT', path, body }))
    await this.#judge(name, count)
  }

  /** What was ordered is there, or the figure means nothing. */
  async #judge(name: string, count: number): Promise<void> {
    const { body } = await this.#arm.send<ClusterBody>({ method: 'GET', path: this.#path(name) })
    const { provisioningState, agentPoolProfiles } = body.properties
    if (provisioningState === 'Succeeded' && agentPoolProfiles[0]?.count === count) return
    throw new ArmError(
      500,
      'BenchFailed',
      `Cluster ${name} is ${provisioningState} with ${agentPoolProfiles[0]?.count}`,
    )
  }

  async #delete(name: string): Promise<void> {
    await this.#arm.wait(await this.#arm.send({ method: 'DELETE', path: this.#path(name) }))
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}
