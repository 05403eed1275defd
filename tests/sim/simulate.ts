// One run of the simulation by seed: a phase in which everything breaks and safety must hold, then one in which nothing
// does and everything must come to rest as it was asked for.

import { deployments, nodes, pods, statefulSets } from '@aksel/api/resources'
import { fraction } from '@aksel/base/ids'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { noNetworkFaults } from '@aksel/testing/simulation/network'
import { SimulatedCluster, type PlantedBugs, type ServerKeys } from '@aksel/testing/simulation/simulated-cluster'
import { faultsAnnotation, faultKinds } from '@aksel/compute/simulated/faults'
import { StoreError } from '@aksel/store/store'
import { watchInvariants } from './invariants.ts'
import { deploy, Ledger, NAMESPACE, unfinished } from './workload.ts'

export interface Verdict {
  readonly seed: number
  /** What was wrong, in words; empty when nothing was. */
  readonly failures: readonly string[]
  /** What happened, step by step: two runs of one seed tell the same. */
  readonly history: readonly string[]
  readonly promises: number
}

const NODES = 4
const STEP_MS = 1500
/** A process that died comes back after this: what it had sent has arrived by then, as a leader's lease sees to it. */
const RESTART_MS = 500
const REST_MS = 15 * 60_000
const REST_STEP_MS = 5000

const admin = { name: 'user', groups: ['system:masters'] }

/** Rejects only where the simulation itself is wrong. */
export async function simulate(options: {
  readonly seed: number
  readonly keys: ServerKeys
  readonly bugs?: PlantedBugs
  /** Disturbances, one every second and a half; 25 when absent. */
  readonly steps?: number
  /** How long it may take to come to rest, in virtual milliseconds; 15 minutes when absent. */
  readonly restMs?: number
}): Promise<Verdict> {
  await using cluster = new SimulatedCluster({ ...options, nodes: NODES })
  await cluster.start()
  const observer = cluster.observer()
  const invariants = watchInvariants(cluster.scope, observer, () => cluster.network.unanswered)
  await cluster.clock.run(3000)
  await deploy(observer)
  const ledger = new Ledger(cluster.client('user', admin))
  const history: string[] = []
  const failures: string[] = []
  const check = async (): Promise<void> => {
    for (const words of [
      ...invariants.broken,
      ...cluster.refusedLoops,
      ...(cluster.isServing ? await ledger.lost(observer) : []),
    ])
      if (!failures.includes(words)) failures.push(words)
  }
  const revive = async (): Promise<void> => {
    if (cluster.isServing) return
    await cluster.startServer()
    invariants.reconnect()
  }
  try {
    await unsafe({ cluster, ledger, history, check, revive, steps: options.steps ?? 25 })
    await heal(cluster, revive)
    history.push(await rest({ cluster, check, failures, restMs: options.restMs ?? REST_MS }))
    history.push(`revision ${(await observer.list(pods)).metadata.resourceVersion}`)
  } catch (error) {
    // What was acknowledged is lost for good.
    if (!(error instanceof StoreError)) throw error
    failures.push(`the store does not open: ${error.message}`)
  }
  return { seed: options.seed, failures, history, promises: ledger.promises }
}

interface Run {
  readonly cluster: SimulatedCluster
  readonly ledger: Ledger
  readonly history: string[]
  readonly check: () => Promise<void>
  readonly revive: () => Promise<void>
  readonly steps: number
}

async function unsafe({ cluster, ledger, history, check, revive, steps }: Run): Promise<void> {
  const { random, network } = cluster
  const chance = (): number => fraction(random)
  network.faults = { lostRequests: 0.02, lostAnswers: 0.02, repeated: 0.03, delayMs: 40, brokenWatches: 0.01 }
  const write = (step: number): void => void ledger.write(`c${Math.floor(chance() * 5)}`, `v${step}`)
  for (let step = 0; step < steps; step += 1) {
    write(step)
    const did = await disturb(cluster, chance)
    history.push(`${step}: ${did}`)
    await cluster.clock.run(STEP_MS * chance())
    write(step + 1000)
    await cluster.clock.run(STEP_MS * chance())
    await revive()
    await check()
  }
}

async function disturb(cluster: SimulatedCluster, chance: () => number): Promise<string> {
  const { network } = cluster
  const node = cluster.nodeName(Math.floor(chance() * NODES))
  const dice = chance()
  if (dice < 0.12) {
    await cluster.crashServer()
    return 'the power of the server goes'
  }
  if (dice < 0.2) {
    await cluster.restart('manager', RESTART_MS)
    return 'the loops are killed'
  }
  if (dice < 0.26) {
    await cluster.restart('nodes', RESTART_MS)
    return 'the nodes are killed'
  }
  if (dice < 0.34) {
    const process = chance() < 0.5 ? 'manager' : 'nodes'
    network.part(process)
    return `${process} is cut off`
  }
  if (dice < 0.5) {
    network.join()
    return 'all are joined'
  }
  if (!cluster.isServing) return 'nothing'
  if (dice < 0.6) return order(cluster, node, faultKinds[Math.floor(chance() * faultKinds.length)]!)
  return userDoes(cluster, chance)
}

async function order(cluster: SimulatedCluster, node: string, kind: string): Promise<string> {
  const fault = { kind, seconds: 10, since: new Date(cluster.clock.now()).toISOString() }
  const body = { metadata: { annotations: { [faultsAnnotation]: JSON.stringify([fault]) } } }
  await ignoreReason('NotFound', cluster.observer().patch(nodes, { name: node }, { kind: 'merge', body }))
  return `${node}: ${kind}`
}

/** What a disk that lies has lost, nobody can change. */
async function userDoes(cluster: SimulatedCluster, chance: () => number): Promise<string> {
  try {
    return await change(cluster, chance)
  } catch (error) {
    if (isReason(error, 'NotFound')) return 'nothing: what was to be changed is not there'
    throw error
  }
}

async function change(cluster: SimulatedCluster, chance: () => number): Promise<string> {
  const client = cluster.observer()
  const dice = chance()
  const ref = (name: string) => ({ name, namespace: NAMESPACE })
  if (dice < 0.3) {
    const env = [{ name: 'ROUND', value: String(Math.floor(chance() * 1000)) }]
    const name = chance() < 0.7 ? 'web' : 'writer'
    const body = { spec: { template: { spec: { containers: [{ name: 'c', env }] } } } }
    await client.patch(deployments, ref(name), { kind: 'strategic', body })
    return `a new template of ${name}`
  }
  if (dice < 0.45) {
    const replicas = 2 + Math.floor(chance() * 5)
    await client.patch(deployments, ref('web'), { kind: 'merge', body: { spec: { replicas } } })
    return `web has ${replicas} replicas`
  }
  if (dice < 0.6) {
    const replicas = 1 + Math.floor(chance() * 4)
    await client.patch(statefulSets, ref('db'), { kind: 'merge', body: { spec: { replicas } } })
    return `db has ${replicas} replicas`
  }
  const { items } = await client.list(pods, { namespace: NAMESPACE })
  const pod = items[Math.floor(chance() * items.length)]
  if (pod === undefined) return 'nothing'
  await ignoreReason('NotFound', client.delete(pods, ref(pod.metadata.name)))
  return `a pod of ${pod.metadata.labels?.['app']} is deleted`
}

/** Everything is whole again. */
async function heal(cluster: SimulatedCluster, revive: () => Promise<void>): Promise<void> {
  cluster.network.faults = noNetworkFaults
  cluster.network.join()
  await revive()
  const client = cluster.observer()
  for (const { metadata } of (await client.list(nodes)).items) {
    const body = { metadata: { annotations: { [faultsAnnotation]: null } } }
    await client.patch(nodes, { name: metadata.name }, { kind: 'merge', body })
  }
}

interface Rest {
  readonly cluster: SimulatedCluster
  readonly check: () => Promise<void>
  readonly failures: string[]
  readonly restMs: number
}

/** Says when it came to rest. */
async function rest({ cluster, check, failures, restMs }: Rest): Promise<string> {
  const observer = cluster.observer()
  let open: readonly string[] = []
  for (let waitedMs = 0; waitedMs < restMs; waitedMs += REST_STEP_MS) {
    await cluster.clock.run(REST_STEP_MS)
    open = await unfinished(observer)
    await check()
    if (open.length === 0) return `at rest after ${waitedMs + REST_STEP_MS} ms`
  }
  failures.push(...open.map((words) => `not at rest after ${restMs / 1000} seconds: ${words}`))
  return 'never at rest'
}
