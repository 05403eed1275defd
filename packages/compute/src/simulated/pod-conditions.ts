// The conditions that follow from the containers' states, in the kubelet's words.

import type { ContainerStatus, Pod, PodCondition } from '@aksel/api/types/core-v1'

export interface ConditionFacts {
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  readonly containers: readonly ContainerStatus[]
  readonly init: readonly ContainerStatus[]
  readonly time: string
}

type Verdict = Omit<PodCondition, 'type' | 'lastTransitionTime'>

/** Others' conditions are kept; a condition that says the same keeps its time. */
export function conditionsOf(pod: Pod, facts: ConditionFacts): readonly PodCondition[] {
  const own: readonly (readonly [string, Verdict])[] = [
    [
      'PodReadyToStartContainers',
      { status: facts.phase === 'Succeeded' || facts.phase === 'Failed' ? 'False' : 'True' },
    ],
    ['Initialized', initialized(facts)],
    ['Ready', ready(pod, facts)],
    ['ContainersReady', containersReady(facts)],
    ['PodScheduled', { status: 'True' }],
  ]
  const known = pod.status?.conditions ?? []
  const names = new Set(own.map(([type]) => type))
  const { generation } = pod.metadata
  return [
    ...own.map(([type, verdict]) => {
      const before = known.find((condition) => condition.type === type)
      const since = before !== undefined && before.status === verdict.status ? before.lastTransitionTime : facts.time
      return {
        type,
        ...verdict,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
        lastTransitionTime: since ?? facts.time,
      }
    }),
    ...known.filter(({ type }) => !names.has(type)),
  ]
}

function initialized({ init, phase }: ConditionFacts): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' }
  const open = init.filter(({ state }) => state?.running === undefined && state?.terminated?.exitCode !== 0)
  const step = init.filter(({ ready: isReady, state }) => state?.running !== undefined && !isReady)
  const names = [...open, ...step].map(({ name }) => name)
  if (names.length === 0) return { status: 'True' }
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${names.join(' ')}]`,
  }
}

function containersReady({ containers, phase }: ConditionFacts): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const names = containers.filter((container) => !container.ready).map(({ name }) => name)
  if (names.length === 0) return { status: 'True' }
  const message = `containers with unready status: [${names.join(' ')}]`
  return { status: 'False', reason: 'ContainersNotReady', message }
}

function ready(pod: Pod, facts: ConditionFacts): Verdict {
  const verdict = containersReady(facts)
  if (verdict.status === 'False') return verdict
  const unmet = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) =>
      pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === 'True') !== true,
  )
  if (unmet.length === 0) return verdict
  const words = unmet.map(({ conditionType }) => {
    const known = pod.status?.conditions?.find(({ type }) => type === conditionType)
    return known === undefined
      ? `corresponding condition of pod readiness gate "${conditionType}" does not exist.`
      : `the status of pod readiness gate "${conditionType}" is not "True", but ${known.status}`
  })
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: words.join(', ') }
}
