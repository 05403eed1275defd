// The node's flow log: the kernel copies packets only while a ContainerNetworkLog, a ContainerNetworkMetric or somebody who
// follows the stream wants them.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { anySignal } from '@aksel/base/any-signal'
import { formatTime, sleep } from '@aksel/base/clock'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { ResourceType } from '@aksel/api/resource'
import type { Cache, Caches } from '@aksel/runtime/controller'
import type { Conversation } from '../policy/allowed-by.ts'
import { spawnedNft, type NftRunner } from '../nft/runner.ts'
import { emptyContent, renderTable } from '../nft/table.ts'
import { AGGREGATE_MS, FlowAggregate } from './aggregate.ts'
import { directoryOf, type Directory } from './directory.ts'
import { isIncluded, isWanted, type StreamFilter } from './filter.ts'
import type { Flow, PolicyName } from './hubble.ts'
import { FlowLogFile } from './log-file.ts'
import { FlowMetrics } from './metrics.ts'
import { readNflog } from './nflog-program.ts'
import { containerNetworkLogs, containerNetworkMetrics } from './objects.ts'
import type { ContainerNetworkLog, ContainerNetworkMetric } from './objects.ts'
import { flowsOf } from './reading.ts'
import { FLOW_GROUP, flowTable, flowTableName, type FlowTableOptions } from './table.ts'

export interface FlowLogOptions {
  readonly caches: Caches
  /** Writes the states of what chooses flows; nobody is told when absent. */
  readonly client?: Pick<Client, 'patch'>
  /** Denied packets are copied only while it is told so. */
  readonly policies?: {
    logDenied(isOn: boolean, signal: AbortSignal): Promise<void>
    deniedBy(chain: string): readonly PolicyName[]
    allowedBy(direction: 'ingress' | 'egress', conversation: Conversation): readonly PolicyName[]
  }
  readonly nodeName: string
  readonly nodeAddress: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** On nodes of both families. */
  readonly ipv6?: FlowTableOptions
  readonly clusterDns: string
  readonly logPath: string
  readonly nft?: NftRunner
}

const METRICS_PORT = 9965
const RETRY_MS = 1000

interface Follower {
  readonly filter: StreamFilter
  readonly take: (flow: Flow) => void
}

export class FlowLog {
  readonly #options: FlowLogOptions
  readonly #nft: NftRunner
  readonly #followers = new Set<Follower>()
  readonly #metrics = new FlowMetrics()
  readonly #aggregate = new FlowAggregate()
  readonly #file: FlowLogFile
  #logs: readonly ContainerNetworkLog[] = []
  #hasMetric = false
  #directory: Directory | undefined
  #wake: () => void = () => {}

  constructor(options: FlowLogOptions) {
    this.#options = options
    this.#nft = options.nft ?? spawnedNft()
    this.#file = new FlowLogFile({ path: options.logPath })
  }

  /** Flows as they come, until it is disposed of. */
  follow(filter: StreamFilter, take: (flow: Flow) => void): Disposable {
    const follower = { filter, take }
    this.#followers.add(follower)
    this.#wake()
    return {
      [Symbol.dispose]: () => {
        this.#followers.delete(follower)
        this.#wake()
      },
    }
  }

  /** Runs until the scope aborts; then the kernel copies nothing any more. */
  async run(scope: Scope): Promise<void> {
    const { caches } = this.#options
    const logs = caches.of(containerNetworkLogs)
    const metrics = caches.of(containerNetworkMetrics)
    using _logs = logs.subscribe(() => this.#chosen(scope, logs, metrics))
    using _metrics = metrics.subscribe(() => this.#chosen(scope, logs, metrics))
    scope.signal.addEventListener('abort', () => this.#wake(), { once: true })
    // What a killed agent left: nobody reads it.
    await this.#remove(scope)
    while (!scope.signal.aborted) {
      if (this.#isWanted()) await this.#capture(scope)
      else await this.#change()
    }
  }

  #isWanted(): boolean {
    return this.#logs.length > 0 || this.#hasMetric || this.#followers.size > 0
  }

  #change(): Promise<void> {
    return new Promise<void>((resolve) => (this.#wake = resolve))
  }

  #chosen(scope: Scope, logs: Cache<ContainerNetworkLog>, metrics: Cache<ContainerNetworkMetric>): void {
    this.#logs = logs.list()
    const [first, ...more] = metrics
      .list()
      .toSorted((left, right) => ((left.metadata.uid ?? '') < (right.metadata.uid ?? '') ? -1 : 1))
    this.#hasMetric = first !== undefined
    this.#metrics.use(first?.spec.filters ?? [])
    for (const each of this.#logs) this.#tell(scope, containerNetworkLogs, each, 'CONFIGURED')
    if (first !== undefined) this.#tell(scope, containerNetworkMetrics, first, 'CONFIGURED')
    for (const each of more) this.#tell(scope, containerNetworkMetrics, each, 'FAILED')
    this.#wake()
  }

  /** Every node says the same; the first one writes it. */
  #tell<T extends ContainerNetworkLog | ContainerNetworkMetric>(
    scope: Scope,
    type: ResourceType<T>,
    { metadata, status }: T,
    state: 'CONFIGURED' | 'FAILED',
  ): void {
    if (status?.state === state) return
    const body = { status: { state, timestamp: formatTime(scope.clock.now()) } }
    this.#options.client
      ?.patch(type, { name: metadata.name }, { kind: 'merge', body }, { subresource: 'status' })
      .catch((error: unknown) => scope.log.warn('the state of a flow log was not told', { name: metadata.name, error }))
  }

  async #capture(scope: Scope): Promise<void> {
    const stop = new AbortController()
    const signal = anySignal([scope.signal, stop.signal])
    try {
      this.#directory ??= directoryOf(this.#options.caches, this.#options)
      await this.#directory.synced(scope.signal)
      const reading = this.#read(scope, signal)
      const writing = this.#writeDown(scope, signal)
      const serving = this.#serve(scope, signal)
      reading.catch(() => {}).finally(() => (stop.abort(), this.#wake()))
      while (!signal.aborted && this.#isWanted()) await this.#change()
      stop.abort()
      await Promise.all([reading, writing, serving])
    } catch (error) {
      stop.abort()
      if (scope.signal.aborted) return
      scope.log.error('flows cannot be read, it is tried again', { error })
      await sleep(scope.clock, RETRY_MS, scope.signal).catch(() => {})
    } finally {
      await this.#remove(scope)
    }
  }

  /** The reader first: what is copied with nobody to read it is lost. */
  async #read(scope: Scope, signal: AbortSignal): Promise<void> {
    const { policies, nodeName } = this.#options
    const reading = {
      nodeName,
      directory: this.#directory!,
      deniedBy: (chain: string) => policies?.deniedBy(chain) ?? [],
      allowedBy: (direction: 'ingress' | 'egress', conversation: Conversation) =>
        policies?.allowedBy(direction, conversation) ?? [],
      uuid: () => uuid(scope.random),
    }
    await readNflog(signal, {
      group: FLOW_GROUP,
      take: (packet) => {
        for (const flow of flowsOf(packet, reading)) this.#take(flow)
      },
      onListening: async () => {
        const { ipv6 } = this.#options
        const shapes = [flowTable(this.#options), ...(ipv6 === undefined ? [] : [flowTable(ipv6, 6)])]
        await this.#nft.apply(
          scope,
          shapes.map((shape) => renderTable(shape, emptyContent)),
        )
        await policies?.logDenied(true, signal)
      },
    })
  }

  #take(flow: Flow): void {
    this.#metrics.add(flow)
    for (const { filter, take } of this.#followers) if (isWanted(flow, filter)) take(flow)
    if (this.#logs.some(({ spec }) => spec.includefilters.some((filter) => isIncluded(flow, filter)))) {
      this.#aggregate.add(flow)
    }
  }

  async #writeDown(scope: Scope, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(scope.clock, AGGREGATE_MS, signal).catch(() => {})
      await this.#file
        .write(this.#aggregate.take())
        .catch((error: unknown) => scope.log.error('flows could not be written down', { error }))
    }
  }

  /** Prometheus' own format, where Hubble serves it on AKS. */
  async #serve(scope: Scope, signal: AbortSignal): Promise<void> {
    const server = createServer((request, response) => {
      if (request.url !== '/metrics') return void response.writeHead(404).end()
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      response.end(this.#metrics.render())
    })
    server.on('error', (error) => scope.log.warn('metrics of flows are not served', { error }))
    server.listen(METRICS_PORT, this.#options.nodeAddress)
    if (!signal.aborted) await once(signal, 'abort')
    server.close()
    server.closeAllConnections()
  }

  async #remove(scope: Scope): Promise<void> {
    const { policies, ipv6 } = this.#options
    const names = [flowTableName(4), ...(ipv6 === undefined ? [] : [flowTableName(6)])]
    const unbound = { ...scope, signal: new AbortController().signal }
    // A table of policies that stays behind goes on copying; without a reader the kernel drops the copies.
    await policies?.logDenied(false, scope.signal).catch(() => {})
    await this.#nft
      .apply(
        unbound,
        names.flatMap((name) => [`add table ${name}`, `delete table ${name}`]),
      )
      .catch((error: unknown) => {
        scope.log.warn('the rules of the flow log were not removed', { error })
      })
  }
}
