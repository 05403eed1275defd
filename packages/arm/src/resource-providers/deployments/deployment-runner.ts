// Deployments under way: each runs by itself until it ends, and is taken up again by the next start of the server.

import { ArmError, type ArmErrorBody } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Dispatcher } from '../../front-door/dispatcher.ts'
import type { Hub } from '../../hub.ts'
import type { DeploymentRecord } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { prepare } from '../../templates/prepared.ts'
import { frameOptions } from './deployment-facts.ts'
import { DeploymentGone, DeploymentRun, type Outcome } from './deployment-run.ts'
import { endDeployment } from './deployment-writes.ts'

export class DeploymentRunner {
  readonly #scope: Scope
  readonly #hub: Hub
  readonly #dispatcher: Dispatcher
  readonly #running = new Map<string, Promise<void>>()

  constructor(scope: Scope, parts: { readonly hub: Hub; readonly dispatcher: Dispatcher }) {
    this.#scope = childScope(scope, { component: 'deployments' })
    this.#hub = parts.hub
    this.#dispatcher = parts.dispatcher
  }

  start(record: DeploymentRecord): void {
    const { correlationId } = record
    if (this.#running.has(correlationId) || this.#scope.signal.aborted) return
    const running = this.#run(record)
      .catch((error: unknown) => this.#broken(record, error))
      .finally(() => this.#running.delete(correlationId))
    this.#running.set(correlationId, running)
  }

  /** Goes on with what a server before this one had begun. */
  async resume(): Promise<void> {
    for (const { subscriptionId } of this.#hub.subscriptions) {
      const all = await this.#hub.store.list<DeploymentRecord>(keys.below(`/subscriptions/${subscriptionId}`))
      for (const { value } of all) {
        if (value.kind === 'deployment' && value.progress.operationId !== undefined) this.start(value)
      }
    }
  }

  /** Resolves when no deployment runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  async #run(record: DeploymentRecord): Promise<void> {
    const outcome = await this.#outcome(record)
    if (outcome !== undefined) await endDeployment(this.#hub, { scope: this.#scope }, record.id, outcome)
  }

  async #outcome(record: DeploymentRecord): Promise<Outcome | undefined> {
    try {
      const prepared = prepare(record.template, await frameOptions(this.#hub, record))
      return await new DeploymentRun(this.#scope, { hub: this.#hub, ask: this.#dispatcher.ask }, record, prepared).run()
    } catch (error) {
      if (error instanceof DeploymentGone || this.#scope.signal.aborted) return undefined
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
