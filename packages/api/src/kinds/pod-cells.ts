// A pod's row in a table: the READY, STATUS and RESTARTS that people read, as upstream derives them.

import type { Cell, Column, RowCondition } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ContainerState, ContainerStatus, Pod } from '../types/core-v1.ts'
import { ageColumn, column, nameColumn, orNone, wide } from './columns.ts'

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', 'Containers that are ready, of all.'),
  column('Status', 'What the pod is doing, or what keeps it from it.'),
  column('Restarts', 'How often its containers were restarted, and when last.'),
  ageColumn,
  wide('IP', 'Its address.'),
  wide('Node', 'Where it runs.'),
  wide('Nominated Node', 'Where it shall run once others made room.'),
  wide('Readiness Gates', 'Conditions that are true, of those asked for.'),
]

interface Summary {
  reason: string
  restarts: number
  /** RFC 3339; '' for never. Texts of one form compare as times do. */
  lastRestart: string
  ready: number
}

export function podCells(pod: Pod, nowMs: number): readonly Cell[] {
  const { status } = pod
  const sidecars = new Set(
    (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  )
  const summary = summarize(pod, sidecars)
  const total = (pod.spec.containers ?? []).length + sidecars.size
  const restarts =
    summary.restarts === 0 || summary.lastRestart === ''
      ? String(summary.restarts)
      : `${summary.restarts} (${ageOf(summary.lastRestart, nowMs)} ago)`
  return [
    pod.metadata.name,
    `${summary.ready}/${total}`,
    summary.reason,
    restarts,
    ageOf(pod.metadata.creationTimestamp, nowMs),
    orNone(status?.podIPs?.[0]?.ip ?? status?.podIP),
    orNone(pod.spec.nodeName),
    orNone(status?.nominatedNodeName),
    gatesText(pod),
  ]
}

function summarize(pod: Pod, sidecars: ReadonlySet<string>): Summary {
  const { status } = pod
  const summary: Summary = { reason: status?.reason ?? status?.phase ?? '', restarts: 0, lastRestart: '', ready: 0 }
  const conditions = status?.conditions ?? []
  if (conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated'))
    summary.reason = 'SchedulingGated'
  const ofSidecars = { restarts: 0, lastRestart: '' }
  const initializing = readInit(pod, sidecars, summary, ofSidecars)
  if (!initializing || conditions.some((one) => one.type === 'Initialized' && one.status === 'True')) {
    Object.assign(summary, ofSidecars)
    readContainers(pod, summary)
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') summary.reason = 'Unknown'
    else if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') summary.reason = 'Terminating'
  }
  return summary
}

/** True while an init container keeps the pod from starting. */
function readInit(
  pod: Pod,
  sidecars: ReadonlySet<string>,
  summary: Summary,
  ofSidecars: Pick<Summary, 'restarts' | 'lastRestart'>,
): boolean {
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = sidecars.has(container.name)
    countRestarts(summary, container)
    if (isSidecar) countRestarts(ofSidecars, container)
    const { terminated, waiting } = container.state ?? {}
    if (terminated !== undefined && terminated.exitCode === 0) continue
    if (isSidecar && container.started === true) {
      if (container.ready) summary.ready += 1
      continue
    }
    if (terminated !== undefined) summary.reason = `Init:${endOf(terminated)}`
    else if ((waiting?.reason ?? '') !== '' && waiting?.reason !== 'PodInitializing')
      summary.reason = `Init:${waiting?.reason}`
    else summary.reason = `Init:${index}/${(pod.spec.initContainers ?? []).length}`
    return true
  }
  return false
}

function readContainers(pod: Pod, summary: Summary): void {
  let hasRunning = false
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(summary, container)
    const { waiting, terminated, running } = container.state ?? {}
    if ((waiting?.reason ?? '') !== '') summary.reason = waiting!.reason!
    else if (terminated !== undefined) summary.reason = endOf(terminated)
    else if (container.ready && running !== undefined) {
      hasRunning = true
      summary.ready += 1
    }
  }
  if (summary.reason !== 'Completed' || !hasRunning) return
  const isReady = (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  summary.reason = isReady ? 'Running' : 'NotReady'
}

function endOf({ reason = '', signal = 0, exitCode }: NonNullable<ContainerState['terminated']>): string {
  if (reason !== '') return reason
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`
}

function countRestarts(into: Pick<Summary, 'restarts' | 'lastRestart'>, container: ContainerStatus): void {
  into.restarts += container.restartCount
  const finished = container.lastState?.terminated?.finishedAt ?? ''
  if (finished > into.lastRestart) into.lastRestart = finished
}

function gatesText(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? []
  const isTrue = (wanted: string): boolean =>
    (pod.status?.conditions ?? []).some(({ type, status }) => type === wanted && status === 'True')
  return gates.length === 0
    ? '<none>'
    : `${gates.filter(({ conditionType }) => isTrue(conditionType)).length}/${gates.length}`
}

export function podRowConditions(pod: Pod): readonly RowCondition[] {
  const phase = pod.status?.phase
  if (phase !== 'Succeeded' && phase !== 'Failed') return []
  const message = phase === 'Succeeded' ? 'The pod has completed successfully.' : 'The pod failed.'
  return [{ type: 'Completed', status: 'True', reason: phase, message }]
}
