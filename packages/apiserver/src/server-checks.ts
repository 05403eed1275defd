// The checks of a server by upstream's names, each of which asks what it is named after.

import type { Scope } from '@aksel/base/scope'
import type { HealthCheck } from './health.ts'
import { Hooks } from './hooks.ts'
import type { RecordStore } from './registry/record-store.ts'

/** By the names that upstream's hooks have. */
export const hookNames = [
  'crd-informer-synced',
  'start-apiextensions-controllers',
  'start-system-namespaces-controller',
  'start-cluster-authentication-info-controller',
  'start-legacy-token-tracking-controller',
  'rbac/bootstrap-roles',
  'scheduling/bootstrap-system-priority-classes',
  'priority-and-fairness-config-producer',
  'bootstrap-controller',
  'kube-apiserver-autoregistration',
  'start-kube-apiserver-identity-lease-controller',
  'start-kube-apiserver-identity-lease-garbage-collector',
] as const
export type HookName = (typeof hookNames)[number]

export function serverHooks(): Hooks {
  return new Hooks(hookNames)
}

export interface CheckedParts {
  readonly scope: Scope
  readonly records: RecordStore
  readonly hooks: Hooks
  /** APIServices of this server's own that are still to be made. */
  readonly unregistered: () => number
  /** Where some kinds are sealed. */
  readonly sealed?: { readonly fault: () => Promise<string | undefined> } | undefined
}

/** What each probe asks; `storage` is what componentstatuses call `etcd-0`. */
export interface ServerChecks {
  readonly storage: () => Promise<string | undefined>
  readonly liveness: readonly HealthCheck[]
  readonly readiness: readonly HealthCheck[]
}

export function serverChecks({ scope, records, hooks, unregistered, sealed }: CheckedParts): ServerChecks {
  const storage = async (): Promise<string | undefined> => {
    // A store that refuses writes still answers reads from memory: only a transaction tells.
    await records.probe()
    return undefined
  }
  return {
    storage,
    liveness: [
      // Whoever gets this answer has had one.
      { name: 'ping', check: () => undefined },
      {
        name: 'log',
        check: () => {
          scope.log.debug('the log is asked whether it takes lines')
          return undefined
        },
      },
      { name: 'etcd', check: storage },
      ...(sealed === undefined ? [] : [{ name: 'kms-providers', check: () => sealed.fault() }]),
      ...hooks.checks(),
      {
        name: 'autoregister-completion',
        check: () => (unregistered() === 0 ? undefined : `missing APIService: ${unregistered()} of this server's own`),
      },
    ],
    readiness: [
      { name: 'etcd-readiness', check: storage },
      { name: 'informer-sync', check: () => deafness(records) },
      { name: 'shutdown', check: () => (scope.signal.aborted ? 'process is shutting down' : undefined) },
    ],
  }
}

/** An index of the server that no longer hears of changes decides by what was. */
function deafness(records: RecordStore): string | undefined {
  const names = [...records.deaf].map(([row, why]) => `${row.plural}.${row.group} (${why})`)
  return names.length === 0 ? undefined : `no longer followed: ${names.join(', ')}`
}
