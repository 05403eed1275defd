// Which pods of lower priority would have to go so that this one fits: judged for every node that may help, with as few
// victims as possible, breaking no disruption budget where that can be avoided.

import { keyOf } from '@aksel/api/resource'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import { matchesSelector, isEmptySelector } from '@aksel/runtime/selectors'
import type { Evaluation, Evaluator, Nominated } from './evaluator.ts'
import { countedWords } from './explanation.ts'
import { NO_NODE } from './plugin.ts'
import { dependsOnResourcesAlone, NO_VICTIMS, NOT_HELPFUL, type QuickVictims } from './quick-preemption.ts'
import type { StandingPod } from './state/cluster-state.ts'
import { compareImportance, isBetter, victimsOf, type Victims } from './victims.ts'

export type Preemption =
  | { readonly kind: 'victims'; readonly victims: Victims }
  /** Upstream's sentence, `preemption: 0/3 nodes are available: …`. */
  | { readonly kind: 'none'; readonly message: string }

export interface PreemptionFacts {
  readonly anyBudgets: boolean
  /** It preempted already, and its victims are still on their way out. */
  readonly isMakingRoom: boolean
  budgets(namespace: string): readonly PodDisruptionBudget[]
  /** Pods of lower priority that are nominated to a node do not hold this one back; others count as if they stood there. */
  readonly nominated: Nominated
  /** What was worked out for pods like this one. */
  quick(evaluation: Evaluation): QuickVictims
}

/** Changes the state while it thinks, and leaves it as it was. */
export function preemptFor(evaluator: Evaluator, evaluation: Evaluation, facts: PreemptionFacts): Preemption {
  const { state } = evaluator.world
  const { pod } = evaluation
  if (pod.spec.preemptionPolicy === 'Never')
    return { kind: 'none', message: 'preemption: not eligible due to preemptionPolicy=Never.' }
  if (facts.isMakingRoom)
    return { kind: 'none', message: 'preemption: not eligible due to a terminating pod on the nominated node.' }
  const answers = new Map<string, number>()
  const answer = (words: string, count: number): void => void answers.set(words, (answers.get(words) ?? 0) + count)
  const best = bestOf(evaluator, evaluation, facts, answer)
  if (best !== undefined) return { kind: 'victims', victims: best }
  const total = state.nodeCount
  const words = countedWords(answers, (each) => [each])
  return { kind: 'none', message: `preemption: 0/${total} nodes are available: ${words}.` }
}

function bestOf(
  evaluator: Evaluator,
  evaluation: Evaluation,
  facts: PreemptionFacts,
  answer: (words: string, count: number) => void,
): Victims | undefined {
  const { state, refusals } = evaluator.world
  const { pod, verdicts, blocked } = evaluation
  if (blocked !== undefined) {
    answer(NOT_HELPFUL, state.nodeCount)
    return undefined
  }
  // Arithmetic, where that is the whole truth.
  if (!facts.anyBudgets && dependsOnResourcesAlone(evaluation, state)) {
    const quick = facts.quick(evaluation)
    quick.refresh()
    return quick.best(verdicts, keyOf(pod), answer)
  }
  let best: Victims | undefined
  for (let slot = 0; slot < verdicts.length; slot += 1) {
    const code = verdicts[slot]!
    if (code === NO_NODE) continue
    const mayHelp = code !== 0 && refusals.of(code).preemptionMayHelp
    const found = mayHelp ? victimsOn(evaluator, evaluation, slot, facts) : NOT_HELPFUL
    if (typeof found === 'string') answer(found, 1)
    else if (best === undefined || isBetter(found, best)) best = found
  }
  return best
}

/** The victims on one node, or in words why there are none. */
function victimsOn(
  evaluator: Evaluator,
  evaluation: Evaluation,
  slot: number,
  facts: PreemptionFacts,
): Victims | string {
  const { state, refusals } = evaluator.world
  const priority = evaluation.pod.spec.priority ?? 0
  const lower: StandingPod[] = []
  for (const standing of state.nodes[slot]!.pods.values()) if (standing.priority < priority) lower.push(standing)
  if (lower.length === 0) return NO_VICTIMS
  const nominated = facts.nominated.on(slot, priority, keyOf(evaluation.pod))
  for (const standing of lower) state.detach(slot, standing)
  for (const standing of nominated) state.attach(slot, standing)
  try {
    const code = evaluator.verdictOn(evaluation, slot)
    if (code !== 0) {
      for (const standing of lower) state.attach(slot, standing)
      return refusals.of(code).words.join(', ')
    }
    return reprieved(evaluator, evaluation, slot, { lower, facts })
  } finally {
    for (const standing of nominated) state.detach(slot, standing)
  }
}

/** Puts back whoever may stay, those whose budget would be broken first, and the important before the others. */
function reprieved(
  evaluator: Evaluator,
  evaluation: Evaluation,
  slot: number,
  { lower, facts }: { readonly lower: readonly StandingPod[]; readonly facts: PreemptionFacts },
): Victims {
  const { state } = evaluator.world
  const sorted = lower.toSorted(compareImportance)
  const { violating, others } = splitByBudget(sorted, facts)
  const victims: StandingPod[] = []
  let budgetsBroken = 0
  for (const standing of [...violating, ...others]) {
    state.attach(slot, standing)
    if (evaluator.verdictOn(evaluation, slot) === 0) continue
    state.detach(slot, standing)
    victims.push(standing)
    if (violating.includes(standing)) budgetsBroken += 1
  }
  // The state is left as it was found.
  for (const standing of victims) state.attach(slot, standing)
  return victimsOf(slot, victims, budgetsBroken)
}

function splitByBudget(
  sorted: readonly StandingPod[],
  facts: PreemptionFacts,
): { readonly violating: readonly StandingPod[]; readonly others: readonly StandingPod[] } {
  const left = new Map<string, number>()
  const violating: StandingPod[] = []
  const others: StandingPod[] = []
  for (const standing of sorted) {
    const { metadata } = standing.pod
    let breaks = false
    for (const budget of facts.budgets(metadata.namespace ?? '')) {
      const { selector } = budget.spec ?? {}
      if (isEmptySelector(selector) || !matchesSelector(selector, metadata.labels)) continue
      if (budget.status?.disruptedPods?.[metadata.name] !== undefined) continue
      const key = `${metadata.namespace}/${budget.metadata.name}`
      const allowed = (left.get(key) ?? budget.status?.disruptionsAllowed ?? 0) - 1
      left.set(key, allowed)
      if (allowed < 0) breaks = true
    }
    if (breaks) violating.push(standing)
    else others.push(standing)
  }
  return { violating, others }
}
