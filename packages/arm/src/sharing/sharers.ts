// What one server hears of the others on the same store: whom they ask to look at something, and what operations they have accepted.

import type { Scope } from '@aksel/base/scope'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import type { OperationRecord } from '../records.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'
import type { Duty } from './duty.ts'

export interface Listener {
  /** Somebody was elected, or was and goes on. */
  readonly elected: () => Promise<void>
  /** Somebody wrote something that this server may have to work on. */
  readonly told: (id: string) => void
  /** Something may have been missed: everything is to be looked at. */
  readonly missed: () => void
}

/** Until the scope ends. An operation is heard of in the transaction that began it: who dies before it asks has asked. */
export function hearOthers(scope: Scope, store: ResourceStore, duty: Duty, listener: Listener): void {
  const { told, missed, elected } = listener
  const { signal, log } = scope
  store.follow(keys.leases, {
    signal,
    missed,
    deliver: () =>
      void elected().catch((error: unknown) => {
        if (!signal.aborted) log.warn('machines that another server runs were not let go of', { error })
      }),
  })
  store.follow(keys.operations, {
    signal,
    missed,
    deliver: ({ value }) => {
      const { status, resourceId } = value as OperationRecord
      if (status === 'InProgress') told(workedId(resourceId))
    },
  })
  const answered = async ({ key, value, modRevision }: Call): Promise<void> => {
    const { id } = value as { readonly id: string }
    if ((await duty.turnOf(id)) === undefined) return
    told(id)
    await store.commit([{ kind: 'delete', key, expected: modRevision }])
  }
  store.follow(keys.calls, {
    signal,
    missed,
    deliver: (call) =>
      void answered(call).catch((error: unknown) => {
        if (!signal.aborted) log.warn('a call of another server was not answered', { key: call.key, error })
      }),
  })
}

type Call = Parameters<Parameters<ResourceStore['follow']>[1]['deliver']>[0]

/** What is worked on as a whole: a pool, or whatever lies in a cluster, is worked on with its cluster. */
export function workedId(resourceId: string): string {
  return /^.*\/managedclusters\/[^/]+/i.exec(resourceId)?.[0] ?? resourceId
}

/** Simulated machines that another server runs now, or will: their nodes must not be told of by two. */
export async function releaseMachines(
  scope: Scope,
  duty: Duty,
  provider: MachineProvider,
  name: string,
): Promise<void> {
  if (provider.kind !== 'simulated') return
  for (const machine of provider.list()) {
    if ((await duty.hostOf(machine.clusterId)) === name) continue
    await provider.delete(scope, machine.clusterId, machine.name)
  }
}
