// How an object is, in a word and a colour, for the head of its page.

import type { Condition } from './conditions.ts'
import type { Tone } from './kube-table.ts'

export interface ObjectState {
  readonly tone: Tone
  readonly text: string
}

interface Judged {
  readonly kind: string
  readonly metadata: { readonly deletionTimestamp?: string; readonly generation?: number }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

interface ContainerStatus {
  readonly ready?: boolean
  readonly state?: {
    readonly waiting?: { readonly reason?: string }
    readonly terminated?: { readonly reason?: string; readonly exitCode?: number }
  }
}

/** Undefined where the kind says nothing of its health. */
export function toneOfObject(object: Judged): ObjectState | undefined {
  if (object.metadata.deletionTimestamp !== undefined) return { tone: 'busy', text: 'Being deleted' }
  const { kind, spec = {}, status = {} } = object
  switch (kind) {
    case 'Pod':
      return ofPod(status)
    case 'Node': {
      const ready = conditionsOf(status).find(({ type }) => type === 'Ready')?.status === 'True'
      const cordoned = spec['unschedulable'] === true
      return {
        tone: ready ? (cordoned ? 'warn' : 'good') : 'bad',
        text: `${ready ? 'Ready' : 'Not ready'}${cordoned ? ', cordoned' : ''}`,
      }
    }
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicaSet':
      return ofReplicas(
        Number(spec['replicas'] ?? 1),
        Number(status['readyReplicas'] ?? 0),
        Number(status['updatedReplicas'] ?? spec['replicas'] ?? 1),
        conditionsOf(status),
      )
    case 'DaemonSet':
      return ofReplicas(
        Number(status['desiredNumberScheduled'] ?? 0),
        Number(status['numberReady'] ?? 0),
        Number(status['updatedNumberScheduled'] ?? 0),
        [],
      )
    default:
      return ofOther(status)
  }
}

export function conditionsOf(status: Readonly<Record<string, unknown>>): readonly Condition[] {
  const { conditions } = status
  return Array.isArray(conditions)
    ? (conditions as readonly Condition[]).filter((each) => typeof each?.type === 'string')
    : []
}

function word(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise
}

function ofPod(status: Readonly<Record<string, unknown>>): ObjectState {
  const phase = word(status['phase'], 'Pending')
  const containers = [
    ...((status['initContainerStatuses'] as readonly ContainerStatus[] | undefined) ?? []),
    ...((status['containerStatuses'] as readonly ContainerStatus[] | undefined) ?? []),
  ]
  const waiting = containers.find(
    ({ state }) =>
      state?.waiting?.reason !== undefined && !/^(ContainerCreating|PodInitializing)$/.test(state.waiting.reason),
  )
  if (waiting !== undefined) return { tone: 'bad', text: waiting.state!.waiting!.reason! }
  if (phase === 'Succeeded') return { tone: 'quiet', text: 'Completed' }
  if (phase === 'Failed') return { tone: 'bad', text: word(status['reason'], 'Failed') }
  if (phase !== 'Running') return { tone: 'busy', text: phase }
  const ready = conditionsOf(status).find(({ type }) => type === 'Ready')?.status === 'True'
  return ready ? { tone: 'good', text: 'Running' } : { tone: 'warn', text: 'Running, not ready' }
}

function ofReplicas(wanted: number, ready: number, updated: number, conditions: readonly Condition[]): ObjectState {
  const stalled = conditions.some(
    ({ type, status }) =>
      (type === 'Progressing' && status === 'False') || (type === 'ReplicaFailure' && status === 'True'),
  )
  if (stalled) return { tone: 'bad', text: `${ready} of ${wanted} ready, stalled` }
  if (wanted === 0) return { tone: 'quiet', text: 'Scaled to zero' }
  if (updated < wanted) return { tone: 'busy', text: `Rolling out, ${updated} of ${wanted} new` }
  return ready >= wanted
    ? { tone: 'good', text: `${ready} of ${wanted} ready` }
    : { tone: 'warn', text: `${ready} of ${wanted} ready` }
}

function ofOther(status: Readonly<Record<string, unknown>>): ObjectState | undefined {
  const phase = status['phase']
  if (typeof phase === 'string' && phase !== '') {
    const tone: Tone = /^(Bound|Active|Available|Ready|Running)$/.test(phase)
      ? 'good'
      : /^(Failed|Lost)$/.test(phase)
        ? 'bad'
        : 'busy'
    return { tone, text: phase }
  }
  const conditions = conditionsOf(status)
  const done = conditions.find(({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True')
  if (done !== undefined)
    return {
      tone: done.type === 'Failed' ? 'bad' : 'quiet',
      text: done.type === 'Failed' ? (done.reason ?? 'Failed') : 'Complete',
    }
  const ready = conditions.find(({ type }) =>
    ['Ready', 'Available', 'Established', 'Accepted', 'Programmed'].includes(type),
  )
  return ready === undefined
    ? undefined
    : {
        tone: ready.status === 'True' ? 'good' : 'bad',
        text: ready.status === 'True' ? ready.type : (ready.reason ?? `Not ${ready.type.toLowerCase()}`),
      }
}
