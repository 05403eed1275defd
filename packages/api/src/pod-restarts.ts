// Whether a container that ended starts again: by the first of its own rules that fits its exit code, else by its own policy,
// else by the pod's. The order is upstream's; the node acts by it, and the API server judges statuses by it.

import type { Container, ContainerRestartRule, PodSpec } from './types/core-v1.ts'

export function restartsAfter(spec: PodSpec, container: Container, exitCode: number): boolean {
  if (matchingRestartRule(container, exitCode) !== undefined) return true
  const policy = container.restartPolicy ?? spec.restartPolicy ?? 'Always'
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

export function matchingRestartRule(
  { restartPolicyRules = [] }: Container,
  exitCode: number,
): ContainerRestartRule | undefined {
  return restartPolicyRules.find(({ exitCodes }) => {
    const isAmong = (exitCodes?.values ?? []).includes(exitCode)
    return exitCodes?.operator === 'In' ? isAmong : exitCodes?.operator === 'NotIn' && !isAmong
  })
}

/** Init containers among them; in the order in which they start. */
export function ruledContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
}

/** Some exit of one of its containers restarts them all. */
export function couldRestartAll(spec: PodSpec): boolean {
  return ruledContainers(spec).some(({ restartPolicyRules = [] }) =>
    restartPolicyRules.some(({ action }) => action === 'RestartAllContainers'),
  )
}
