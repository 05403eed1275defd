// What a pod's failure means for its job: the first rule of the policy that matches decides.

import type { Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from '@aksel/api/types/batch-v1'
import type { ContainerStatus, Pod } from '@aksel/api/types/core-v1'

export interface FailureVerdict {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count'
  /** Towards the back-off limit. */
  readonly counts: boolean
  /** Set for FailJob: the message of its conditions. */
  readonly message?: string
}

const counted: FailureVerdict = { action: 'Count', counts: true }

export function judgeFailure({ spec }: Job, pod: Pod): FailureVerdict {
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const what = matchRule(rule, pod)
    if (what === undefined) continue
    switch (rule.action) {
      case 'Ignore':
        return { action: 'Ignore', counts: false }
      case 'FailIndex':
        if (spec.backoffLimitPerIndex === undefined) continue
        return { action: 'FailIndex', counts: true }
      case 'Count':
        return counted
      case 'FailJob':
        return { action: 'FailJob', counts: true, message: `${what} matching FailJob rule at index ${index}` }
      default:
        // An action of a newer release decides nothing.
        continue
    }
  }
  return counted
}

/** What matched, as the message tells it. */
function matchRule({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const { namespace, name } = pod.metadata
  if (onExitCodes !== undefined) {
    const container = matchExitCodes(onExitCodes, pod)
    if (container === undefined) return undefined
    const code = container.state!.terminated!.exitCode
    return `Container ${container.name} for pod ${namespace}/${name} failed with exit code ${code}`
  }
  for (const pattern of onPodConditions ?? []) {
    const found = pod.status?.conditions?.find(
      ({ type, status }) => type === pattern.type && status === (pattern.status ?? 'True'),
    )
    if (found !== undefined) return `Pod ${namespace}/${name} has condition ${found.type}`
  }
  return undefined
}

function matchExitCodes(
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
  { status }: Pod,
): ContainerStatus | undefined {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]
  return all.find(({ name, state }) => {
    const code = state?.terminated?.exitCode ?? 0
    if (code === 0 || (containerName !== undefined && containerName !== name)) return false
    return (values ?? []).includes(code) === (operator === 'In')
  })
}
