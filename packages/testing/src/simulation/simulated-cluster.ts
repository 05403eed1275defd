// A whole control plane in one process and virtual time: the log store on a simulated disk, the API server, controllers,
// scheduler and nodes. All of it is production code; clock, disk, network and chance alone are replaced.

import { catalogOf } from '@aksel/api/catalog'
import { createApiServer, type ApiServer } from '@aksel/apiserver/server'
import { seededRandom, type Random } from '@aksel/base/ids'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Transport } from '@aksel/client/transport'
import { createClient } from '@aksel/client/typed-client'
import { openFleet } from '@aksel/compute/simulated/fleet'
import { controllersFor } from '@aksel/controllers/all'
import { cloudNodeController } from '@aksel/controllers/cloud-node/controller'
import type { CloudInstance } from '@aksel/controllers/cloud-node/instances'
import {
  isLoopBeyondItsRole,
  loopUserAgent,
  managerUser,
  schedulerUser,
  systemAccount,
  isLoopUser,
} from '@aksel/controllers/identities'
import { instanceOf } from '@aksel/provider/cloud-instance'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { createScheduler } from '@aksel/scheduler/scheduler'
import { openLogStore } from '@aksel/store/log-store'
import { SimulatedDisk } from '@aksel/store/simulated-disk'
import type { Store } from '@aksel/store/store'
import type { SimulatedClock } from '../simulated-clock.ts'
import { testScope, type TestScope } from '../test-scope.ts'
import { SimulatedNetwork } from './network.ts'

export interface ServerKeys {
  /** PEM */
  readonly clientAuthority: string
  readonly serviceAccountKey: Parameters<typeof createApiServer>[0]['serviceAccounts']['key']
  /** A server that made its own would do so in a thread, whose end falls between other steps by chance. */
  readonly frontProxy: NonNullable<Parameters<typeof createApiServer>[0]['frontProxy']>
}

export interface SimulatedClusterOptions {
  readonly seed: number
  readonly nodes: number
  /** Made once: keys are of no interest here, and slow. */
  readonly keys: ServerKeys
  /** Planted bugs: a wrong part in the place of a right one. */
  readonly bugs?: PlantedBugs
}

export interface PlantedBugs {
  /** Every client of the controllers is seen through this. */
  readonly controllersClient?: (client: Client) => Client
  /** The disk says that it wrote what it did not. */
  readonly lyingDisk?: boolean
}

interface Running {
  readonly store: Store
  readonly server: ApiServer
}

const DIRECTORY = 'store'
const ZONES = 3

export class SimulatedCluster implements AsyncDisposable {
  readonly scope: TestScope
  readonly network: SimulatedNetwork
  readonly random: Random
  /** Audit entries of loops that asked for more than their roles give them. */
  readonly refusedLoops: string[] = []
  readonly #options: SimulatedClusterOptions
  readonly #processes = new Map<string, { stop: () => Promise<void>; start: () => void }>()
  #disk: SimulatedDisk
  #running: Running | undefined

  constructor(options: SimulatedClusterOptions) {
    this.#options = options
    this.scope = testScope({ seed: options.seed })
    this.random = seededRandom(options.seed * 7919 + 17)
    this.network = new SimulatedNetwork(this.scope.clock, this.random)
    this.#disk = new SimulatedDisk(this.random, this.#diskPlan())
  }

  get clock(): SimulatedClock {
    return this.scope.clock
  }

  /** Server, loops and nodes run when this resolves. */
  async start(): Promise<void> {
    await this.startServer()
    this.#process('manager', (scope) => this.#runLoops(scope))
    this.#process('nodes', (scope) => this.#runNodes(scope))
    for (const { start } of this.#processes.values()) start()
  }

  async startServer(): Promise<void> {
    const { keys } = this.#options
    const store = await openLogStore(this.scope, { disk: this.#disk, directory: DIRECTORY })
    const server = await createApiServer({
      scope: this.scope,
      store,
      keyPrefix: 'clusters/sim/',
      kubernetesVersion: '1.35.7',
      catalog: await catalogOf('1.35'),
      serviceCidr: '10.0.0.0/16',
      advertiseAddress: '10.224.0.1',
      advertisePort: 443,
      clientAuthority: keys.clientAuthority,
      frontProxy: keys.frontProxy,
      serviceAccounts: { issuer: 'https://sim', key: keys.serviceAccountKey },
      audit: (entry) => {
        if (isLoopBeyondItsRole(entry)) this.refusedLoops.push(JSON.stringify(entry))
      },
    })
    this.#running = { store, server }
  }

  /** The power goes: what was not synced is lost in part, and every connection breaks. The processes go on without a server. */
  async crashServer(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    this.#disk.setPlan({ faultAt: () => 'power' })
    this.network.breakWatches()
    await running.server.close()
    await closed(running.store)
    this.#disk = this.#disk.afterPowerCut(this.random)
    this.#disk.setPlan(this.#diskPlan())
  }

  get isServing(): boolean {
    return this.#running !== undefined
  }

  /** Kills `manager` or `nodes` in the middle of whatever it does, and starts it anew with nothing in memory. */
  async restart(process: 'manager' | 'nodes', afterMs: number): Promise<void> {
    const known = this.#processes.get(process)!
    await known.stop()
    await this.clock.run(afterMs)
    known.start()
  }

  /** A client of this process, over the network and its faults. */
  client(
    process: string,
    user: { readonly name: string; readonly groups: readonly string[] },
    life?: AbortSignal,
  ): Client {
    const server = (): Transport => {
      // What a killed process still computes goes nowhere.
      life?.throwIfAborted()
      if (this.#running === undefined) throw new Error('connect ECONNREFUSED')
      return this.#running.server.transportFor(user)
    }
    return createClient(
      this.network.transportOf(process, server),
      isLoopUser(user) ? { userAgent: loopUserAgent(user) } : {},
    )
  }

  /** Sees the server as it is, without the network between: for those who judge. */
  observer(): Client {
    const transport: Transport = {
      send: async (request) => {
        if (this.#running === undefined) throw new Error('connect ECONNREFUSED')
        return this.#running.server.transportFor({ name: 'observer', groups: ['system:masters'] }).send(request)
      },
    }
    return createClient(transport)
  }

  nodeName(index: number): string {
    return `node-${index}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#processes.values()) await stop()
    this.scope.abort()
    await this.#running?.server.close()
    if (this.#running !== undefined) await closed(this.#running.store)
  }

  #diskPlan(): { readonly ignoresSync?: boolean } {
    return this.#options.bugs?.lyingDisk === true ? { ignoresSync: true } : {}
  }

  #process(name: string, run: (scope: Scope) => Promise<void>): void {
    let stopping = new AbortController()
    let running: Promise<void> = Promise.resolve()
    this.#processes.set(name, {
      start: () => {
        stopping = new AbortController()
        running = run(childScope(this.scope, { process: name }, stopping.signal)).catch((error: unknown) => {
          if (!this.scope.signal.aborted) this.scope.log.debug('a process ended', { process: name, error })
        })
      },
      stop: async () => {
        stopping.abort(new Error('killed'))
        // What it had sent may still be on its way; waiting for that takes virtual time.
        void running
        await Promise.resolve()
      },
    })
  }

  async #runLoops(scope: Scope): Promise<void> {
    const plain = this.client('manager', managerUser, scope.signal)
    const clientOf = (account: string): Client => {
      const client = this.client('manager', systemAccount(account), scope.signal)
      return this.#options.bugs?.controllersClient?.(client) ?? client
    }
    await using caches = createCaches(scope, plain)
    const scheduler = createScheduler(scope, {
      client: this.client('manager', schedulerUser, scope.signal),
      caches,
    })
    const controllers = controllersFor({
      client: plain,
      clientOf,
      caches,
      rootCaPem: this.#options.keys.clientAuthority,
      nodeIpam: { clusterCidrs: ['10.244.0.0/16'] },
    })
    const cloud = cloudNodeController({
      client: clientOf('cloud-node-manager'),
      caches,
      instances: { find: (name) => this.#instance(name) },
    })
    await Promise.all([runControllers(scope, { controllers: [...controllers, cloud], caches }), scheduler.run()])
  }

  #instance(name: string): CloudInstance | undefined {
    const index = Number(name.slice(this.nodeName(0).length - 1))
    const instance = instanceOf(machineSpec(name, index), 'Running')
    return instance === undefined ? undefined : { ...instance, isShutDown: false }
  }

  async #runNodes(scope: Scope): Promise<void> {
    const watching = this.client('nodes', { name: 'aksel:simulated', groups: ['system:masters'] }, scope.signal)
    const fleet = openFleet(scope, watching)
    for (let index = 0; index < this.#options.nodes; index += 1) {
      const name = this.nodeName(index)
      const client = this.client(name, { name: `system:node:${name}`, groups: ['system:nodes'] }, scope.signal)
      fleet.add({ client: () => client, spec: machineSpec(name, index), address: `198.18.0.${index + 1}` })
    }
    await new Promise<void>((resolve) => scope.signal.addEventListener('abort', () => resolve(), { once: true }))
    await fleet[Symbol.asyncDispose]()
  }
}

/** A store whose disk is gone may say so: that is what was simulated. */
async function closed(store: Store): Promise<void> {
  try {
    await store[Symbol.asyncDispose]()
  } catch {
    // The next one recovers what is left.
  }
}

function machineSpec(name: string, index: number): MachineSpec {
  return {
    name,
    clusterId: 'sim',
    vmSize: 'Standard_D4s_v5',
    vcpus: 4,
    memoryBytes: 16 * 1024 ** 3,
    nodeImage: 'simulated',
    zone: String(index % ZONES),
    cloud: { resourceId: `/vmss/virtualMachines/${index}`, region: 'sim' },
    maxPods: 30,
    labels: {
      'kubernetes.io/hostname': name,
    },
    taints: [],
    subnetId: 'sim',
    boot: {
      kubernetesVersion: '1.35.7',
      nodeUrl: '',
      tunnelSocket: '',
      clusterDns: '10.0.0.10',
      clusterDomain: 'cluster.local',
      serviceCidr: '10.0.0.0/16',
      podCidr: `10.244.${index}.0/24`,
    },
  }
}
