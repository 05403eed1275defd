// One deployment under way: resources are ordered in turn, each by the request that a client would send, and waited for.

import { setImmediate } from 'node:timers/promises'
import { ArmError, type ArmErrorBody } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { newestVersion } from '../../front-door/api-versions.ts'
import type { Ask } from '../../front-door/dispatcher.ts'
import type { ArmResponse, Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DeploymentRecord, DeploymentStep, Json } from '../../records.ts'
import { sameId } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import type { DeclaredResource } from '../../templates/declared.ts'
import { evaluationFailed } from '../../templates/errors.ts'
import { StateNeeded, type StateRequest } from '../../templates/frame.ts'
import { outputsOf, resourceBody, type Prepared, type States } from '../../templates/prepared.ts'
import type { ObjectValue, Value } from '../../templates/values.ts'
import { isObject, objectAt, textAt } from '../body.ts'
import { listResources } from '../resources/groups.ts'
import { nextResources, unnamed, withStep } from './deployment-plan.ts'

/** Resources that one deployment works on at the same time. */
const atOnceMax = 16
const pollMs = 500

export interface RunParts {
  readonly hub: Hub
  readonly ask: Ask
}

/** The deployment is gone: somebody deleted it, or its group. */
export class DeploymentGone extends Error {
  override readonly name = 'DeploymentGone'
}

export type Outcome =
  | {
      readonly state: 'Succeeded'
      readonly outputs: Json
      readonly outputResources: readonly { readonly id: string }[]
    }
  | { readonly state: 'Failed'; readonly error: ArmErrorBody }
  | { readonly state: 'Canceled' }

export class DeploymentRun {
  readonly #scope: Scope
  readonly #parts: RunParts
  readonly #prepared: Prepared
  readonly #running = new Map<string, Promise<void>>()
  readonly #known = new Map<string, Value>()
  #record: DeploymentRecord

  constructor(scope: Scope, parts: RunParts, record: DeploymentRecord, prepared: Prepared) {
    this.#scope = scope
    this.#parts = parts
    this.#record = record
    this.#prepared = prepared
  }

  /** Rejects with DeploymentGone, or with the scope's signal. */
  async run(): Promise<Outcome> {
    while (true) {
      await this.#refresh()
      for (const one of nextResources(this.#prepared, this.#course())) this.#begin(one)
      if (this.#running.size === 0) break
      await Promise.race(this.#running.values())
    }
    if (this.#record.progress.canceling === true) return { state: 'Canceled' }
    const failed = this.#record.steps.filter(({ state }) => state === 'Failed')
    if (failed.length > 0) return { state: 'Failed', error: deploymentFailed(this.#record, failed) }
    const left = this.#record.mode === 'Complete' ? await this.#removeOthers() : []
    if (left.length > 0) return { state: 'Failed', error: deploymentFailed(this.#record, left) }
    return this.#finished()
  }

  #course(): Parameters<typeof nextResources>[1] {
    const { steps, progress } = this.#record
    return {
      steps,
      running: new Set(this.#running.keys()),
      isEnding: progress.canceling === true || steps.some(({ state }) => state === 'Failed'),
      atOnceMax,
    }
  }

  #begin(one: DeclaredResource): void {
    const key = one.id.toLowerCase()
    const done = this.#deploy(one).finally(() => this.#running.delete(key))
    this.#running.set(key, done)
  }

  async #deploy(one: DeclaredResource): Promise<void> {
    const begun: DeploymentStep = {
      id: uuid(this.#scope.random).replaceAll('-', '').slice(0, 16).toUpperCase(),
      kind: one.existing ? 'Read' : 'Create',
      resourceId: one.id,
      resourceType: one.type,
      resourceName: one.name,
      ...(one.symbol === undefined ? {} : { symbol: one.symbol }),
      state: 'Running',
      startTime: this.#now(),
    }
    const wasBegun = this.#record.steps.some(
      ({ state, resourceId }) => state === 'Running' && sameId(resourceId, one.id),
    )
    await this.#save(begun)
    const answer = await this.#order(one, wasBegun).catch((error: unknown) => {
      if (error instanceof ArmError) return { status: error.status, error: error.toBody().error }
      throw error
    })
    const { status, error } = answer
    await this.#save({
      ...begun,
      state: error === undefined ? 'Succeeded' : 'Failed',
      endTime: this.#now(),
      status,
      ...(error === undefined ? {} : { error }),
    })
  }

  /** `wasBegun`: by a server before this one, whose order may still be under way. */
  async #order(
    one: DeclaredResource,
    wasBegun: boolean,
  ): Promise<{ readonly status: number; readonly error?: ArmErrorBody }> {
    const url = `${one.id}?api-version=${one.apiVersion}`
    if (wasBegun) await this.#settled({ status: 200 }, url)
    if (one.existing) return judged(await this.#request('GET', url))
    const body = await this.#evaluated((states) => resourceBody(this.#prepared, one, states))
    const answer = await this.#request('PUT', url, body)
    const { status, error } = judged(answer)
    if (error !== undefined) return { status, error }
    const failure = await this.#settled(answer, url)
    return { status, ...(failure === undefined ? {} : { error: failure }) }
  }

  /** Waits for the end of what an answer began; the error that it ended with. */
  async #settled(answer: ArmResponse, url: string): Promise<ArmErrorBody | undefined> {
    const address = answer.headers?.['azure-asyncoperation']
    while (true) {
      const held = await (address === undefined ? this.#request('GET', url) : this.#request('GET', pathOf(address)))
      const body = isObject(held.body) ? held.body : {}
      if (held.status >= 400) return judged(held).error
      const state =
        address === undefined ? textAt(objectAt(body, 'properties'), 'provisioningState') : textAt(body, 'status')
      if (state === undefined || state === 'Succeeded') return undefined
      if (state === 'Failed' || state === 'Canceled') return endError(body, state, url)
      await sleep(this.#scope.clock, pollMs, this.#scope.signal)
    }
  }

  /** Evaluates, and finds the states that the expressions ask for. */
  async #evaluated<T>(run: (states: States) => T): Promise<T> {
    while (true) {
      try {
        return run((request) => this.#known.get(keyOf(request)))
      } catch (error) {
        if (!(error instanceof StateNeeded)) throw error
        this.#known.set(keyOf(error.request), await this.#state(error.request))
      }
    }
  }

  async #state(request: StateRequest): Promise<Value> {
    const named = this.#prepared.named(request.target)
    const id = named?.id ?? request.target
    if (!id.startsWith('/')) throw evaluationFailed(`The resource '${request.target}' is not defined in the template`)
    const version = request.apiVersion ?? named?.apiVersion ?? newestVersion(id)
    const answer =
      request.kind === 'list'
        ? await this.#request('POST', `${id}/${request.action}?api-version=${version}`, request.body)
        : await this.#request('GET', `${id}?api-version=${version}`)
    const { error } = judged(answer)
    if (error !== undefined) throw new ArmError(answer.status, error.code, error.message)
    const body = (isObject(answer.body) ? answer.body : {}) as ObjectValue
    if (request.kind === 'list') return body
    if (!request.full) return body['properties'] ?? {}
    return { ...body, apiVersion: version, resourceId: id, scope: '' }
  }

  async #finished(): Promise<Outcome> {
    try {
      const outputs = await this.#evaluated((states) => outputsOf(this.#prepared, states))
      const outputResources = this.#prepared.resources
        .filter(({ skipped, existing }) => !skipped && !existing)
        .map(({ id }) => ({ id }))
      return { state: 'Succeeded', outputs, outputResources }
    } catch (error) {
      if (error instanceof ArmError) return { state: 'Failed', error: error.toBody().error }
      throw error
    }
  }

  /** What the template does not name goes; in a second turn what others held on to. */
  async #removeOthers(): Promise<readonly DeploymentStep[]> {
    let left: DeploymentStep[] = []
    for (let turn = 1; turn <= 2; turn++) {
      const all = await listResources(this.#parts.hub.store, this.#record.scopeId)
      left = []
      for (const id of unnamed(
        this.#prepared,
        all.map((one) => one.id),
      )) {
        const step = await this.#remove(id)
        if (step.state === 'Failed') left.push(step)
      }
      if (left.length === 0) break
    }
    for (const step of left) await this.#save(step)
    return left
  }

  async #remove(id: string): Promise<DeploymentStep> {
    const startTime = this.#now()
    const url = `${id}?api-version=${newestVersion(id)}`
    const answer = await this.#request('DELETE', url)
    const error = judged(answer).error ?? (answer.status === 202 ? await this.#settledDelete(answer, url) : undefined)
    const step: DeploymentStep = {
      id: uuid(this.#scope.random).replaceAll('-', '').slice(0, 16).toUpperCase(),
      kind: 'Delete',
      resourceId: id,
      resourceType: typeOfId(id),
      resourceName: id.split('/').at(-1)!,
      state: error === undefined ? 'Succeeded' : 'Failed',
      startTime,
      endTime: this.#now(),
      status: answer.status,
      ...(error === undefined ? {} : { error }),
    }
    if (error === undefined) await this.#save(step)
    return step
  }

  async #settledDelete(answer: ArmResponse, url: string): Promise<ArmErrorBody | undefined> {
    const failure = await this.#settled(answer, url)
    return failure?.code === 'ResourceNotFound' ? undefined : failure
  }

  #request(method: Route['method'], url: string, body?: unknown): Promise<ArmResponse> {
    const { caller, origin, correlationId } = this.#record
    this.#scope.signal.throwIfAborted()
    return this.#parts.ask({ method, url, body, caller, origin, correlationId, headers: { prefer: 'wait=10' } })
  }

  async #refresh(): Promise<void> {
    // Where store and suppliers answer at once, others would never have a turn.
    await setImmediate()
    const stored = await this.#parts.hub.store.get<DeploymentRecord>(keys.resource(this.#record.id))
    if (stored?.value.correlationId !== this.#record.correlationId) throw new DeploymentGone(this.#record.id)
    this.#record = stored.value
  }

  async #save(step: DeploymentStep): Promise<void> {
    const next = await this.#parts.hub.store.update<DeploymentRecord>(keys.resource(this.#record.id), (record) =>
      record.correlationId === this.#record.correlationId
        ? { ...record, steps: withStep(record.steps, step) }
        : undefined,
    )
    if (next?.correlationId !== this.#record.correlationId) throw new DeploymentGone(this.#record.id)
    this.#record = next
  }

  #now(): string {
    return new Date(this.#scope.clock.now()).toISOString()
  }
}

function judged(answer: ArmResponse): { readonly status: number; readonly error?: ArmErrorBody } {
  const { status } = answer
  if (status < 400) return { status }
  const body = isObject(answer.body) ? answer.body : {}
  const error = isObject(body['error']) ? body['error'] : body
  return {
    status,
    error: {
      code: textAt(error, 'code') ?? 'ResourceDeploymentFailure',
      message: textAt(error, 'message') ?? `The resource write operation was answered with the status ${status}.`,
    },
  }
}

function endError(body: Json, state: string, url: string): ArmErrorBody {
  const error = objectAt(body, 'error')
  const message =
    textAt(error, 'message') ??
    `The resource write operation failed to complete successfully, because it reached terminal provisioning state '${state}'.`
  return { code: textAt(error, 'code') ?? 'ResourceDeploymentFailure', message, target: url.split('?')[0]! }
}

function deploymentFailed({ id }: DeploymentRecord, failed: readonly DeploymentStep[]): ArmErrorBody {
  return {
    code: 'DeploymentFailed',
    target: id,
    message:
      'At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.',
    details: failed.flatMap(({ error, resourceId }) => (error === undefined ? [] : [{ ...error, target: resourceId }])),
  }
}

function keyOf(request: StateRequest): string {
  return JSON.stringify([
    request.kind,
    request.target.toLowerCase(),
    request.kind === 'list' ? [request.action, request.body] : request.full,
  ])
}

function pathOf(address: string): string {
  const { pathname, search } = new URL(address)
  return `${pathname}${search}`
}

/** `Microsoft.Network/virtualNetworks` of an id below it. */
function typeOfId(id: string): string {
  const [namespace, ...rest] = id.slice(id.toLowerCase().lastIndexOf('/providers/') + '/providers/'.length).split('/')
  return [namespace, ...rest.filter((_, at) => at % 2 === 0)].join('/')
}
