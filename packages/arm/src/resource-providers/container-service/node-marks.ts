// What an upgrade leaves on a node for people to see: cordons, the label of those that could not be drained, events.

import { events, nodes } from '@aksel/api/resources'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { excludeLabel } from './nodes.ts'

const quarantineLabel = 'kubernetes.azure.com/upgrade-status'

/** A node that does not exist needs neither. One that may be used again is given back to load balancers, too. */
export async function setCordon(client: Client, name: string, unschedulable: boolean): Promise<void> {
  const labels = unschedulable ? {} : { [excludeLabel]: null }
  const body = { metadata: { labels }, spec: { unschedulable: unschedulable ? true : null } }
  await ignoreReason('NotFound', client.patch(nodes, { name }, { kind: 'merge', body }))
}

export async function setQuarantine(client: Client, name: string, isQuarantined: boolean): Promise<void> {
  const body = { metadata: { labels: { [quarantineLabel]: isQuarantined ? 'Quarantined' : null } } }
  await ignoreReason('NotFound', client.patch(nodes, { name }, { kind: 'merge', body }))
}

export const nodeReasons = ['Surge', 'Drain', 'Upgrade', 'PreemptScheduled', 'Evicted'] as const

/** An event on the node, in AKS's words. Told again where a step is taken up again. */
export async function tellNode(
  scope: Scope,
  client: Client,
  event: {
    readonly node: string
    readonly reason: (typeof nodeReasons)[number]
    readonly message: string
    readonly warning?: boolean
    /** Told once for each of these, however often it is asked for. */
    readonly once?: string
  },
): Promise<void> {
  const at = formatTime(scope.clock.now())
  const suffix =
    event.once === undefined ? uuid(scope.random).slice(0, 8) : `${event.reason}.${event.once}`.toLowerCase()
  const created = client.create(events, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${event.node}.${suffix}`, namespace: 'default' },
    involvedObject: { kind: 'Node', name: event.node, uid: event.node },
    reason: event.reason,
    message: event.message,
    type: event.warning === true ? 'Warning' : 'Normal',
    source: { component: 'upgrader' },
    reportingComponent: 'upgrader',
    reportingInstance: '',
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  })
  await created.catch((error: unknown) => {
    if (event.once === undefined || !isReason(error, 'AlreadyExists')) throw error
  })
}
