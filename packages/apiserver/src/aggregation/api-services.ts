// The APIServices of one cluster, as they are right now: which group versions another server answers for.

import { apiServiceName, availableCondition } from '@aksel/api/kinds/api-service'
import type { KindRow } from '@aksel/api/kind-row'
import type { APIService } from '@aksel/api/types/apiregistration-v1'
import type { RecordStore } from '../registry/record-store.ts'

export class ApiServices {
  readonly #records: RecordStore
  readonly #row: KindRow
  readonly #signal: AbortSignal
  readonly #services = new Map<string, APIService>()
  readonly #listeners = new Set<(name: string) => void>()
  #remotes = 0

  constructor(records: RecordStore, row: KindRow, signal: AbortSignal) {
    this.#records = records
    this.#row = row
    this.#signal = signal
  }

  get row(): KindRow {
    return this.#row
  }

  /** Reads them and follows them until the signal ends. */
  async start(): Promise<void> {
    this.#records.onChange(this.#row, this.#signal, (changes) => {
      for (const { type, record } of changes) {
        const service = record.object as APIService
        const { name } = service.metadata
        if (type === 'DELETED') this.#services.delete(name)
        else this.#services.set(name, service)
        this.#count()
        for (const listener of this.#listeners) listener(name)
      }
    })
    for (const { object } of await this.#records.list(this.#row))
      if (!this.#services.has(object.metadata.name)) this.#services.set(object.metadata.name, object as APIService)
    this.#count()
  }

  subscribe(listener: (name: string) => void): void {
    this.#listeners.add(listener)
  }

  get(name: string): APIService | undefined {
    return this.#services.get(name)
  }

  all(): readonly APIService[] {
    return [...this.#services.values()]
  }

  /** The APIService of a group version that another server answers for. */
  remote(group: string, version: string): APIService | undefined {
    if (this.#remotes === 0) return undefined
    const service = this.#services.get(apiServiceName(group, version))
    return service?.spec.service === undefined ? undefined : service
  }

  /** Those that other servers answer for. */
  remotes(): readonly APIService[] {
    return this.#remotes === 0 ? [] : this.all().filter(({ spec }) => spec.service !== undefined)
  }

  #count(): void {
    this.#remotes = this.all().filter(({ spec }) => spec.service !== undefined).length
  }
}

export function isAvailable(service: APIService): boolean {
  return availableCondition(service)?.status === 'True'
}
