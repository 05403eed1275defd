// Flow control of one server: the objects that configure it, the guard that watches over it, and what it shows of itself.

import type { FlowSchema } from '@aksel/api/types/flowcontrol-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { MetricsRegistry } from '../metrics.ts'
import type { Registry } from '../registry/registry.ts'
import { FlowControl } from './flow-control.ts'
import { FlowMetrics } from './flow-metrics.ts'
import { FlowObjects } from './flow-objects.ts'
import type { GuardRules } from './guard.ts'
import { GuardLoop, guardName } from './guard-loop.ts'
import type { CountObjects } from './work-estimate.ts'

export interface FlowControlOptions {
  readonly scope: Scope
  readonly registry: Registry
  readonly metrics: MetricsRegistry
  readonly totalSeats: number
  /** The server's own; throws before requests are answered. */
  readonly client: () => Client
  readonly guard?: GuardOptions
}

export interface GuardOptions {
  readonly rules?: Partial<GuardRules>
  /** Of the memory that the process may have, how much it has; absent: memory is no reason. */
  readonly heapShare?: () => number
}

/** Resolves when every request has a level. */
export async function startFlowControl(options: FlowControlOptions): Promise<FlowControl> {
  const { scope, registry, metrics, totalSeats, client } = options
  const { rules, heapShare = () => 0 } = options.guard ?? {}
  const guard: GuardLoop = new GuardLoop({
    scope,
    client,
    metrics,
    running: () => control.requests,
    heapShare,
    ...(rules === undefined ? {} : { rules }),
  })
  const control: FlowControl = new FlowControl({
    clock: scope.clock,
    totalSeats,
    count: counterOf(registry),
    metrics: new FlowMetrics(metrics, () => control),
    guard,
  })
  const row = (plural: string) => registry.kinds.find('flowcontrol.apiserver.k8s.io', 'v1', plural)!
  const rows = { schemas: row('flowschemas'), levels: row('prioritylevelconfigurations') }
  await new FlowObjects(registry, control, rows).start()
  const left = await registry.records.get(rows.schemas, '', guardName)
  if (left !== undefined) guard.adopt(left.object as FlowSchema)
  return control
}

function counterOf({ kinds, records }: Registry): CountObjects {
  return ({ group, version, resource, namespace }) => {
    const row = kinds.find(group, version, resource)
    return row === undefined || row.virtual ? undefined : records.countNow(row, namespace)
  }
}
