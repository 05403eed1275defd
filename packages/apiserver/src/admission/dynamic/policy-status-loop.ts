// Keeps the status of validating policies: which generation was looked at, and what its expressions get wrong about types.

import { deepEqual } from '@aksel/api/deep-equal'
import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { ValidatingAdmissionPolicy } from '@aksel/api/types/admissionregistration-v1'
import { draftOf, type Draft } from '@aksel/base/draft'
import { ApiError, isReason } from '@aksel/base/errors'
import { masters, type UserInfo } from '../../authentication/user-info.ts'
import type { CustomKinds } from '../../custom-resources/custom-kinds.ts'
import { NameQueue } from '../../name-queue.ts'
import type { Registry } from '../../registry/registry.ts'
import { changeObject } from '../../registry/update.ts'
import { kindsToCheck, typeWarnings } from './policy-types.ts'

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }

export class PolicyStatusLoop {
  readonly #registry: Registry
  readonly #kinds: CustomKinds
  readonly #row: KindRow | undefined
  readonly #queue: NameQueue

  constructor(registry: Registry, kinds: CustomKinds) {
    this.#registry = registry
    this.#queue = new NameQueue(registry.scope, {
      look: (name) => this.#look(name),
      failed: (name, error) => this.#failed(name, error),
      measure: registry.metrics.queues.of('validatingadmissionpolicy-status'),
    })
    this.#kinds = kinds
    this.#row = kinds.find('admissionregistration.k8s.io', 'v1', 'validatingadmissionpolicies')
  }

  /** Looks at every policy once, then at each that changes, and at those whose custom kinds change. */
  async start(): Promise<void> {
    const row = this.#row
    if (row === undefined) return
    const { records, scope } = this.#registry
    records.onChange(row, scope.signal, (changes) => {
      for (const { type, record } of changes) if (type !== 'DELETED') this.#queue.add(record.object.metadata.name)
    })
    const wakeAll = async (isConcerned: (policy: ValidatingAdmissionPolicy) => boolean): Promise<void> => {
      for (const { object } of await records.list(row))
        if (isConcerned(object as ValidatingAdmissionPolicy)) this.#queue.add(object.metadata.name)
    }
    this.#kinds.subscribe(() => {
      const custom = ({ custom: of }: KindRow): boolean => of !== undefined
      wakeAll((policy) => policy.spec.paramKind !== undefined || kindsToCheck(policy, this.#kinds).some(custom)).catch(
        (error: unknown) => scope.log.warn('policies could not be looked at again', { error }),
      )
    })
    await wakeAll(() => true)
  }

  async #look(name: string): Promise<void> {
    // Checking types is long work: others come in between.
    await new Promise((resolve) => setImmediate(resolve))
    await this.#reconcile(name)
  }

  #failed(name: string, error: unknown): 'again' | 'done' {
    if (isReason(error, 'NotFound')) return 'done'
    if (!(error instanceof ApiError))
      this.#registry.scope.log.error('a policy could not be type checked', { name, error })
    return 'again'
  }

  async #reconcile(name: string): Promise<void> {
    const row = this.#row!
    const record = await this.#registry.records.get(row, '', name)
    if (record === undefined) return
    const policy = record.object as ValidatingAdmissionPolicy
    const warnings = typeWarnings(policy, this.#kinds, this.#registry.schemas.tables)
    const status = {
      ...policy.status,
      observedGeneration: policy.metadata.generation ?? 1,
      typeChecking: warnings.length === 0 ? {} : { expressionWarnings: warnings },
    }
    if (deepEqual(policy.status, status)) return
    const call = {
      row,
      namespace: '',
      user: apiServer,
      dryRun: false,
      warnings: new Set<string>(),
      fieldManager: 'kube-apiserver',
    }
    await changeObject(this.#registry, call, {
      name,
      subresource: 'status',
      next(current) {
        const draft = draftOf(current!) as Draft<KubernetesObject> & { status?: unknown }
        if (draft.metadata.generation === policy.metadata.generation) draft.status = status
        delete draft.metadata.resourceVersion
        return draft
      },
    })
  }
}
