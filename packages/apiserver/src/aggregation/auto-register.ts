// Keeps an APIService for every group version that this server answers for itself: those of built-in kinds from the start,
// those of custom kinds as long as a definition serves them.

import { builtInPriority, customPriority, type GroupVersionPriority } from '@aksel/api/group-priority'
import { apiServiceName } from '@aksel/api/kinds/api-service'
import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { APIService } from '@aksel/api/types/apiregistration-v1'
import type { Draft } from '@aksel/base/draft'
import { ApiError, isReason } from '@aksel/base/errors'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import type { CustomKinds } from '../custom-resources/custom-kinds.ts'
import { createObject } from '../registry/create.ts'
import { deleteObject } from '../registry/delete.ts'
import type { Hooks } from '../hooks.ts'
import type { Registry } from '../registry/registry.ts'
import type { ApiServices } from './api-services.ts'

export const automanagedLabel = 'kube-aggregator.kubernetes.io/automanaged'

export interface LocalGroupVersion {
  readonly group: string
  readonly version: string
  readonly priority: GroupVersionPriority
}

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }
const RETRY_MS = 1000
const hook = 'kube-apiserver-autoregistration'

/** The group versions of these rows, each once. */
export function localGroupVersions(rows: readonly KindRow[]): readonly LocalGroupVersion[] {
  const found = new Map<string, LocalGroupVersion>()
  for (const { group, version } of rows)
    found.set(apiServiceName(group, version), { group, version, priority: builtInPriority(group, version) })
  return [...found.values()]
}

export class AutoRegister {
  readonly #registry: Registry
  readonly #services: ApiServices
  readonly #kinds: CustomKinds
  readonly #hooks: Hooks
  /** Those of this server that are still to be made; who deletes one later wants it so until the next start. */
  #missing: readonly LocalGroupVersion[] = []
  #running = false
  #again = false

  constructor(registry: Registry, services: ApiServices, kinds: CustomKinds, hooks: Hooks) {
    this.#registry = registry
    this.#hooks = hooks
    this.#services = services
    this.#kinds = kinds
  }

  /** How many of this server's own are still to be made. */
  get missing(): number {
    return this.#missing.length
  }

  /** Makes what is missing, then follows the definitions until the registry's scope ends. */
  async start(local: readonly LocalGroupVersion[]): Promise<void> {
    this.#missing = local
    this.#kinds.subscribe(() => void this.#wake())
    await this.#wake()
  }

  async #wake(): Promise<void> {
    this.#again = true
    if (this.#running) return
    this.#running = true
    await this.#drain()
  }

  async #drain(): Promise<void> {
    const { scope } = this.#registry
    while (this.#again && !scope.signal.aborted) {
      this.#again = false
      try {
        await this.#reconcile()
        this.#hooks.succeeded(hook)
      } catch (error) {
        if (scope.signal.aborted) break
        this.#hooks.failed(hook, error)
        if (!(error instanceof ApiError)) scope.log.error('API services of custom kinds could not be kept', { error })
        scope.clock.after(RETRY_MS, () => void this.#wake())
      }
    }
    this.#running = false
  }

  async #reconcile(): Promise<void> {
    await Promise.all(this.#missing.map((one) => this.#ensure(one, 'onstart')))
    this.#missing = []
    const wanted = new Map<string, LocalGroupVersion>()
    for (const { definition } of this.#kinds.established()) {
      const { group, versions } = definition.spec
      for (const { name, served } of versions)
        if (served) wanted.set(apiServiceName(group, name), { group, version: name, priority: customPriority })
    }
    for (const one of wanted.values()) await this.#ensure(one, 'true')
    for (const { metadata } of this.#services.all())
      if (metadata.labels?.[automanagedLabel] === 'true' && !wanted.has(metadata.name))
        await this.#remove(metadata.name)
  }

  async #ensure({ group, version, priority }: LocalGroupVersion, managed: 'onstart' | 'true'): Promise<void> {
    const name = apiServiceName(group, version)
    if (this.#services.get(name) !== undefined) return
    const service: APIService = {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name, labels: { [automanagedLabel]: managed } },
      spec: {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: priority.group,
        versionPriority: priority.version,
      },
    }
    try {
      await createObject(this.#registry, this.#call(), service as unknown as Draft<KubernetesObject>)
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
    }
  }

  async #remove(name: string): Promise<void> {
    try {
      await deleteObject(this.#registry, this.#call(), name, { dryRun: false })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  #call(): Parameters<typeof createObject>[1] {
    return {
      row: this.#services.row,
      namespace: '',
      user: apiServer,
      dryRun: false,
      warnings: new Set<string>(),
      fieldManager: 'kube-apiserver',
    }
  }
}
