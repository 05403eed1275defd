// Deployments under way: each runs by itself until it ends, and is taken up again by the next start of the server.

import { ArmError, type ArmErrorBody } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Dispatcher } from '../../front-door/dispatcher.ts'
import type { Hub } from '../../hub.ts'
import type { DeploymentRecord } from '../../records.ts'
import type { Duty } from '../../sharing/duty.ts'
import { keys, TermOverError } from '../../store-keyspace.ts'
import { prepare } from '../../templates/prepared.ts'
import { frameOptions } from './deployment-facts.ts'
import { DeploymentGone, DeploymentRun, type Outcome } from './deployment-run.ts'
import { endDeployment } from './deployment-writes.ts'

export class DeploymentRunner {
  readonly #scope: Scope
  readonly #hub: Hub
  readonly #dispatcher: Dispatcher
  readonly #duty: Duty | undefined
  readonly #running = new Map<string, Promise<void>>()
  /** Those of the running that end with this server's term. */
  readonly #inTerm = new Set<string>()

  constructor(scope: Scope, parts: { readonly hub: Hub; readonly dispatcher: Dispatcher; readonly duty?: Duty }) {
    this.#scope = childScope(scope, { component: 'deployments' })
    this.#hub = parts.hub
    this.#dispatcher = parts.dispatcher
    this.#duty = parts.duty
  }

  /** `isTold`: another server may work on it; where it is not ours, nobody else is asked. */
  start(record: DeploymentRecord, isTold = false): void {
    const { correlationId } = record
    if (this.#running.has(correlationId) || this.#scope.signal.aborted) return
    const running = this.#run(record, isTold)
      .catch((error: unknown) => this.#broken(record, error))
      .finally(() => {
        this.#running.delete(correlationId)
        this.#inTerm.delete(correlationId)
      })
    this.#running.set(correlationId, running)
  }

  /** Goes on with what a server before this one had begun. */
  async resume(): Promise<void> {
    for (const { subscriptionId } of this.#hub.subscriptions) {
      const all = await this.#hub.store.list<DeploymentRecord>(keys.below(`/subscriptions/${subscriptionId}`))
      for (const { value } of all) {
        if (value.kind === 'deployment' && value.progress.operationId !== undefined) this.start(value, true)
      }
    }
  }

  /** Goes on with one that was accepted by another server. */
  async told(id: string): Promise<void> {
    const stored = await this.#hub.store.get<DeploymentRecord>(keys.resource(id))
    if (stored?.value.kind === 'deployment' && stored.value.progress.operationId !== undefined)
      this.start(stored.value, true)
  }

  /** The term is over: resolves when none of its deployments runs. */
  async leave(): Promise<void> {
    await Promise.all([...this.#inTerm].flatMap((id) => this.#running.get(id) ?? []))
  }

  /** Resolves when no deployment runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  async #run(record: DeploymentRecord, isTold: boolean): Promise<void> {
    const turn = await this.#duty?.turnOf(record.id)
    if (this.#duty !== undefined && turn === undefined) return isTold ? undefined : this.#duty.call(record.id)
    if (turn?.signal !== undefined) this.#inTerm.add(record.correlationId)
    const hub = turn === undefined ? this.#hub : { ...this.#hub, store: turn.store }
    const scope = childScope(this.#scope, {}, turn?.signal)
    try {
      const outcome = await this.#outcome(scope, hub, record)
      if (outcome !== undefined) await endDeployment(hub, { scope }, record.id, outcome)
    } catch (error) {
      if (!(error instanceof TermOverError)) throw error
    }
  }

  async #outcome(scope: Scope, hub: Hub, record: DeploymentRecord): Promise<Outcome | undefined> {
    try {
      const prepared = prepare(record.template, await frameOptions(hub, record))
      return await new DeploymentRun(scope, { hub, ask: this.#dispatcher.ask }, record, prepared).run()
    } catch (error) {
      if (error instanceof DeploymentGone || scope.signal.aborted) return undefined
      if (error instanceof TermOverError) throw error
      this.#scope.log.error('a deployment failed by an error of ours', { deployment: record.id, error })
      return { state: 'Failed', error: bodyOf(error) }
    }
  }

  /** Its end could not be written down: the next start takes it up. */
  #broken(record: DeploymentRecord, error: unknown): void {
    if (!this.#scope.signal.aborted)
      this.#scope.log.error('the end of a deployment was not kept', { deployment: record.id, error })
  }
}

function bodyOf(error: unknown): ArmErrorBody {
  if (error instanceof ArmError) return error.toBody().error
  return { code: 'InternalServerError', message: 'The server met an error of its own; its log tells more.' }
}
