// Asks the servers behind APIServices whether they answer, and writes that into the APIServices' conditions.

import { availableCondition } from '@aksel/api/kinds/api-service'
import { compareVersions, type GroupVersionPriority } from '@aksel/api/group-priority'
import type { ServedGroupVersion } from '@aksel/api/discovery'
import { endpointSlices, services } from '@aksel/api/resources'
import type { APIService } from '@aksel/api/types/apiregistration-v1'
import { anySignal } from '@aksel/base/any-signal'
import { formatTime, type Timer } from '@aksel/base/clock'
import { draftOf } from '@aksel/base/draft'
import { ApiError, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import type { ApiSource, OpenApiPart, OpenApiV2Part } from '../discovery/api-source.ts'
import type { Registry } from '../registry/registry.ts'
import { changeObject } from '../registry/update.ts'
import { isAvailable, type ApiServices } from './api-services.ts'
import type { RemoteCaller } from './remote-call.ts'
import { readRemote, type RemoteDocuments } from './remote-documents.ts'

const CHECK_TIMEOUT_MS = 5000
/** A server that answered is asked again this much later; one that did not sooner, and then ever later. */
const RECHECK_MS = 30_000
const RETRY_BASE_MS = 1000

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }

interface Verdict {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

const local: Verdict = { status: 'True', reason: 'Local', message: 'Local APIServices are always available' }

export class Availability implements ApiSource {
  readonly #registry: Registry
  readonly #services: ApiServices
  readonly #caller: RemoteCaller
  readonly #objects: Pick<Client, 'get' | 'list'>
  readonly #documents = new Map<string, RemoteDocuments>()
  readonly #timers = new Map<string, Timer>()
  readonly #failures = new Map<string, number>()
  readonly #running = new Set<string>()
  readonly #again = new Set<string>()
  #generation = 0

  constructor(
    registry: Registry,
    apiServices: ApiServices,
    caller: RemoteCaller,
    objects: Pick<Client, 'get' | 'list'>,
  ) {
    this.#registry = registry
    this.#services = apiServices
    this.#caller = caller
    this.#objects = objects
  }

  /** Checks every remote APIService now, and again when it, its Service or its endpoints change. */
  start(): void {
    const { records, kinds, scope } = this.#registry
    this.#services.subscribe((name) => {
      this.#generation += 1
      this.#wake(name)
    })
    const wakeService = (namespace: string | undefined, name: string | undefined): void => {
      for (const { metadata, spec } of this.#services.remotes())
        if (spec.service?.namespace === namespace && spec.service?.name === name) this.#wake(metadata.name)
    }
    records.onChange(kinds.find('', 'v1', 'services')!, scope.signal, (changes) => {
      for (const { record } of changes) wakeService(record.object.metadata.namespace, record.object.metadata.name)
    })
    records.onChange(kinds.find('discovery.k8s.io', 'v1', 'endpointslices')!, scope.signal, (changes) => {
      if (this.#services.remotes().length === 0) return
      for (const { record } of changes) {
        const { namespace, labels } = record.object.metadata
        wakeService(namespace, labels?.['kubernetes.io/service-name'])
      }
    })
    for (const { metadata } of this.#services.remotes()) this.#wake(metadata.name)
    const stopTimers = (): void => {
      for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    }
    scope.signal.addEventListener('abort', stopTimers, { once: true })
  }

  get revision(): string {
    return String(this.#generation)
  }

  groupVersions(): readonly ServedGroupVersion[] {
    return this.#services.remotes().map((service) => {
      const { group = '', version = '' } = service.spec
      const priority: GroupVersionPriority = {
        group: service.spec.groupPriorityMinimum,
        version: service.spec.versionPriority,
      }
      const resources = this.#documents.get(service.metadata.name)?.resources ?? []
      return { group, version, priority, rows: [], resources, freshness: isAvailable(service) ? 'Current' : 'Stale' }
    })
  }

  openApiV3(): ReadonlyMap<string, OpenApiPart> {
    const parts = new Map<string, OpenApiPart>()
    for (const { metadata, spec } of this.#services.remotes()) {
      const part = this.#documents.get(metadata.name)?.openApiV3
      if (part !== undefined) parts.set(`apis/${spec.group ?? ''}/${spec.version ?? ''}`, part)
    }
    return parts
  }

  openApiV2(): OpenApiV2Part {
    const found = this.#services
      .remotes()
      .toSorted((a, b) => compareVersions(a.spec.version ?? '', b.spec.version ?? ''))
      .flatMap(({ metadata }) => this.#documents.get(metadata.name)?.openApiV2 ?? [])
    const merged = (part: keyof OpenApiV2Part): OpenApiV2Part['paths'] =>
      Object.assign({}, ...found.map((one) => one[part])) as OpenApiV2Part['paths']
    return { paths: merged('paths'), definitions: merged('definitions'), parameters: merged('parameters') }
  }

  #wake(name: string): void {
    this.#timers.get(name)?.[Symbol.dispose]()
    this.#timers.delete(name)
    if (this.#running.has(name)) {
      this.#again.add(name)
      return
    }
    this.#running.add(name)
    void this.#check(name)
      .catch((error: unknown) => {
        if (!this.#registry.scope.signal.aborted && !(error instanceof ApiError))
          this.#registry.scope.log.error('an API service could not be judged', { name, error })
      })
      .finally(() => {
        this.#running.delete(name)
        if (this.#again.delete(name)) this.#wake(name)
      })
  }

  async #check(name: string): Promise<void> {
    const service = this.#services.get(name)
    if (service?.spec.service === undefined) {
      if (this.#documents.delete(name)) this.#generation += 1
      this.#failures.delete(name)
      // What another server answered for is ours again.
      if (service !== undefined && availableCondition(service)?.reason !== 'Local') await this.#write(name, local)
      return
    }
    const verdict = await this.#judge(service)
    const { scope } = this.#registry
    if (scope.signal.aborted) return
    await this.#write(name, verdict)
    const failures = verdict.status === 'True' ? 0 : (this.#failures.get(name) ?? 0) + 1
    this.#failures.set(name, failures)
    const waitMs = failures === 0 ? RECHECK_MS : Math.min(RETRY_BASE_MS * 2 ** (failures - 1), RECHECK_MS)
    this.#timers.get(name)?.[Symbol.dispose]()
    this.#timers.set(
      name,
      scope.clock.after(waitMs, () => this.#wake(name)),
    )
  }

  async #judge(service: APIService): Promise<Verdict> {
    const missing = await this.#missing(service)
    if (missing !== undefined) return { status: 'False', ...missing }
    try {
      const signal = anySignal([AbortSignal.timeout(CHECK_TIMEOUT_MS), this.#registry.scope.signal])
      this.#documents.set(service.metadata.name, await readRemote(this.#caller, service, signal))
      this.#generation += 1
      return { status: 'True', reason: 'Passed', message: 'all checks passed' }
    } catch (error) {
      return { status: 'False', reason: 'FailedDiscoveryCheck', message: (error as Error).message }
    }
  }

  /** What its Service lacks. */
  async #missing({ spec }: APIService): Promise<Omit<Verdict, 'status'> | undefined> {
    const { namespace = '', name = '', port: wanted = 443 } = spec.service ?? {}
    const shown = `service/${name} in ${JSON.stringify(namespace)}`
    let service
    try {
      service = await this.#objects.get(services, { namespace, name })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      return { reason: 'ServiceNotFound', message: `${shown} is not present` }
    }
    if ((service.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined
    const port = (service.spec?.ports ?? []).find((one) => one.port === wanted)
    if (port === undefined)
      return { reason: 'ServicePortError', message: `${shown} is not listening on port ${wanted}` }
    const labelSelector = `kubernetes.io/service-name=${name}`
    const { items } = await this.#objects.list(endpointSlices, { namespace, labelSelector })
    if (items.length === 0) return { reason: 'EndpointsNotFound', message: `cannot find endpointslices for ${shown}` }
    const portName = port.name ?? ''
    const hasEndpoint = items.some(
      (slice) =>
        (slice.endpoints ?? []).some(({ conditions }) => conditions?.ready !== false) &&
        (slice.ports ?? []).some((one) => (one.name ?? '') === portName && one.port !== undefined),
    )
    if (hasEndpoint) return undefined
    return {
      reason: 'MissingEndpoints',
      message: `endpointslices for ${shown} have no addresses with port name ${JSON.stringify(portName)}`,
    }
  }

  async #write(name: string, verdict: Verdict): Promise<void> {
    const before = this.#services.get(name)
    const known = before === undefined ? undefined : availableCondition(before)
    if (
      before === undefined ||
      (known?.status === verdict.status && known.reason === verdict.reason && known.message === verdict.message)
    )
      return
    const { scope } = this.#registry
    const lastTransitionTime =
      known?.status === verdict.status ? known.lastTransitionTime! : formatTime(scope.clock.now())
    const call = {
      row: this.#services.row,
      namespace: '',
      user: apiServer,
      dryRun: false,
      warnings: new Set<string>(),
      fieldManager: 'kube-apiserver',
    }
    try {
      await changeObject(this.#registry, call, {
        name,
        subresource: 'status',
        next(current) {
          const draft = draftOf(current as APIService)
          const others = (draft.status?.conditions ?? []).filter(({ type }) => type !== 'Available')
          draft.status = { conditions: [...others, { type: 'Available', ...verdict, lastTransitionTime }] }
          delete draft.metadata.resourceVersion
          return draft as unknown as ReturnType<typeof draftOf<NonNullable<typeof current>>>
        },
      })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }
}
