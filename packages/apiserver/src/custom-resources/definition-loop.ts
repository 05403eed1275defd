// Follows the CustomResourceDefinitions: gives them their names, establishes them, and when one is deleted takes its objects
// away before it goes. Upstream runs this in its API server too, so that kinds can be served without any other process.

import { approvalCondition } from '@aksel/api/custom/definition/approval'
import { conditionOf, isConditionTrue, setCondition, type NewCondition } from '@aksel/api/custom/definition/conditions'
import { deepEqual } from '@aksel/api/deep-equal'
import { cleanupFinalizer } from '@aksel/api/kinds/custom-resource-definition'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import { caBundleErrors } from '@aksel/api/validation/webhooks'
import { anySignal } from '@aksel/base/any-signal'
import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { ApiError, isReason } from '@aksel/base/errors'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import type { Hooks } from '../hooks.ts'
import { NameQueue } from '../name-queue.ts'
import { deleteObject } from '../registry/delete.ts'
import type { Registry } from '../registry/registry.ts'
import { changeObject } from '../registry/update.ts'
import type { CustomKinds, ServedDefinition } from './custom-kinds.ts'
import { judgeNames } from './naming.ts'

type Definition = CustomResourceDefinition

const hook = 'start-apiextensions-controllers'

/** Deletes in parallel while a definition goes. */
const DELETIONS_AT_ONCE = 32

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }

export class DefinitionLoop {
  readonly #registry: Registry
  readonly #kinds: CustomKinds
  readonly #hooks: Hooks
  /** One at a time: names are given in the order in which they are asked for. */
  readonly #queue: NameQueue
  /** Definitions whose last object is waited for. */
  readonly #watched = new Map<string, AbortController>()

  constructor(registry: Registry, kinds: CustomKinds, hooks: Hooks) {
    this.#registry = registry
    this.#hooks = hooks
    this.#kinds = kinds
    this.#queue = new NameQueue(registry.scope, {
      look: (name) => this.#look(name),
      failed: (name, error) => this.#failed(name, error),
      measure: registry.metrics.queues.of('crd_naming_condition_controller'),
    })
  }

  /** Looks at every definition once, then at each that changes, until the scope of the registry ends. */
  async start(): Promise<void> {
    const { records } = this.#registry
    this.#kinds.subscribe((name) => this.#queue.add(name))
    for (const { object } of await records.list(this.#kinds.definitionRow)) this.#queue.add(object.metadata.name)
    this.#hooks.succeeded(hook)
  }

  async #look(name: string): Promise<void> {
    await this.#reconcile(name)
    this.#hooks.succeeded(hook)
  }

  #failed(name: string, error: unknown): 'again' {
    // A conflict is an ordinary day; an error of the server's own is not.
    if (!isReason(error, 'Conflict', 'NotFound')) this.#hooks.failed(hook, error)
    if (!(error instanceof ApiError))
      this.#registry.scope.log.error('a definition could not be settled', { name, error })
    return 'again'
  }

  async #reconcile(name: string): Promise<void> {
    const all = await this.#all()
    const definition = all.find(({ metadata }) => metadata.name === name)
    if (definition === undefined) {
      this.#stopWatching(name)
      // Its names are free now.
      for (const other of all) if (!isSettled(other)) this.#queue.add(other.metadata.name)
      return
    }
    if (definition.metadata.deletionTimestamp !== undefined) return this.#terminate(definition)
    const others = all.filter(({ metadata, spec }) => metadata.name !== name && spec.group === definition.spec.group)
    if (await this.#change(name, (draft, now) => settle(draft, others, now)))
      for (const { metadata } of others) this.#queue.add(metadata.name)
  }

  async #all(): Promise<readonly Definition[]> {
    const records = await this.#registry.records.list(this.#kinds.definitionRow)
    return records.map(({ object }) => object as Definition)
  }

  async #terminate(definition: Definition): Promise<void> {
    const { name, finalizers = [] } = definition.metadata
    if (!finalizers.includes(cleanupFinalizer)) return this.#stopWatching(name)
    await this.#condition(name, {
      status: 'True',
      reason: 'InstanceDeletionInProgress',
      message: 'CustomResource deletion is in progress',
    })
    const served = this.#kinds.served(name)
    if (served === undefined || !isConditionTrue(definition, 'Established'))
      return this.#finish(name, 'NeverEstablished', 'resource was never established')
    const left = await this.#deleteInstances(served)
    if (left === 0) return this.#finish(name, 'InstanceDeletionCompleted', 'removed all instances')
    this.#watchInstances(name, served)
  }

  /** Answers how many are left, held by finalizers. */
  async #deleteInstances(served: ServedDefinition): Promise<number> {
    const { records } = this.#registry
    const row = served.storageRow()
    const found = [...(await records.list(row))]
    while (found.length > 0) {
      const batch = found.splice(0, DELETIONS_AT_ONCE)
      await Promise.all(
        batch.map(async ({ object }) => {
          const { name, namespace = '' } = object.metadata
          const call = {
            row,
            namespace,
            user: apiServer,
            dryRun: false,
            fieldManager: 'kube-apiserver',
            warnings: new Set<string>(),
          }
          try {
            await deleteObject(this.#registry, call, name, { dryRun: false })
          } catch (error) {
            if (!isReason(error, 'NotFound')) throw error
          }
        }),
      )
    }
    return (await records.list(row)).length
  }

  #watchInstances(name: string, served: ServedDefinition): void {
    if (this.#watched.has(name)) return
    const stop = new AbortController()
    const signal = anySignal([stop.signal, this.#registry.scope.signal])
    this.#watched.set(name, stop)
    this.#registry.records.onChange(served.storageRow(), signal, (changes) => {
      if (changes.some(({ type }) => type === 'DELETED')) this.#queue.add(name)
    })
  }

  #stopWatching(name: string): void {
    this.#watched.get(name)?.abort()
    this.#watched.delete(name)
  }

  async #finish(name: string, reason: string, message: string): Promise<void> {
    this.#stopWatching(name)
    await this.#change(name, (draft, now) => {
      setCondition(draft, { type: 'Terminating', status: 'False', reason, message }, now)
      draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer)
      return true
    })
  }

  async #condition(name: string, condition: Omit<NewCondition, 'type'>): Promise<void> {
    await this.#change(name, (draft, now) => setCondition(draft, { type: 'Terminating', ...condition }, now))
  }

  /** Writes the status where `edit` says that it changed something. False where it did not, or the definition is gone. */
  async #change(name: string, edit: (draft: Draft<Definition>, now: string) => boolean): Promise<boolean> {
    const { scope } = this.#registry
    const row = this.#kinds.definitionRow
    const call = {
      row,
      namespace: '',
      user: apiServer,
      dryRun: false,
      fieldManager: 'kube-apiserver',
      warnings: new Set<string>(),
    }
    let changed = false
    try {
      await changeObject(this.#registry, call, {
        name,
        subresource: 'status',
        next(current) {
          const draft = draftOf(current as Definition)
          changed = edit(draft, formatTime(scope.clock.now()))
          delete draft.metadata.resourceVersion
          return draft as unknown as ReturnType<typeof draftOf<NonNullable<typeof current>>>
        },
      })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      return false
    }
    return changed
  }
}

function isSettled({ spec, status }: Definition): boolean {
  return deepEqual(spec.names, status?.acceptedNames)
}

/** Gives names and establishes, where that is due. True when the status changed. */
function settle(draft: Draft<Definition>, others: readonly Definition[], now: string): boolean {
  const definition = draft as unknown as Definition
  let changed = false
  const approval = approvalCondition(definition)
  if (approval !== undefined) changed = setCondition(draft, approval, now) || changed
  if (!isSettled(definition) || conditionOf(definition, 'NamesAccepted') === undefined) {
    const { acceptedNames, condition } = judgeNames(definition, others)
    if (!deepEqual(draft.status!.acceptedNames, acceptedNames)) {
      draft.status!.acceptedNames = draftOf(acceptedNames)
      changed = true
    }
    changed = setCondition(draft, condition, now) || changed
  }
  return establish(draft, definition, now) || changed
}

function establish(draft: Draft<Definition>, definition: Definition, now: string): boolean {
  if (isConditionTrue(definition, 'Established')) return false
  const established = (status: 'True' | 'False', reason: string, message: string): boolean =>
    setCondition(draft, { type: 'Established', status, reason, message }, now)
  if (!isConditionTrue(definition, 'NamesAccepted'))
    return established('False', 'NotAccepted', 'not all names are accepted')
  const bundle = definition.spec.conversion?.webhook?.clientConfig?.caBundle ?? ''
  if (bundle !== '' && caBundleErrors(bundle, '').length > 0)
    return established('False', 'InvalidCABundle', 'The conversion webhook CABundle is invalid')
  return established('True', 'InitialNamesAccepted', 'the initial names have been accepted')
}
