// Pods that were thrown out, and deployments that stand still without a pod to blame.

import { describeCommand, type Found } from '../finding.ts'
import { podRef, refOf, type Picture } from '../picture.ts'

export function evictedPods(picture: Picture): readonly Found[] {
  return picture.pods.flatMap((pod): readonly Found[] => {
    if (pod.status?.phase !== 'Failed' || pod.status.reason !== 'Evicted') return []
    const subject = podRef(pod)
    const message = pod.status.message ?? ''
    const resource = /low on resource: ([\w-]+)/.exec(message)?.[1]
    const isOwnDisk = /ephemeral|emptyDir|EmptyDir/.test(message)
    return [
      {
        id: 'nodes/evicted',
        subject,
        symptom: `The pod was evicted from node "${pod.spec.nodeName ?? ''}".`,
        cause:
          resource === undefined
            ? message
            : `The node was low on ${resource}, and the pod took more than it had asked for or was least important.`,
        evidence: [{ subject, line: `Failed, Evicted: ${message}` }],
        fix: isOwnDisk
          ? 'Raise its ephemeral-storage limit or the size of its emptyDir, or write less.'
          : 'Give it honest requests; see what fills the node.',
        commands: [describeCommand(subject), `kubectl describe node ${pod.spec.nodeName ?? ''}`],
        confidence: 'certain',
      },
    ]
  })
}

export function stalledDeployments({ deployments }: Picture): readonly Found[] {
  return deployments.flatMap((deployment): readonly Found[] => {
    const condition = deployment.status?.conditions?.find(({ type }) => type === 'Progressing')
    if (condition?.status !== 'False' || condition.reason !== 'ProgressDeadlineExceeded') return []
    const subject = refOf('Deployment', deployment)
    return [
      {
        id: 'workloads/rollout-stalled',
        subject,
        symptom: 'The rollout does not go on.',
        cause: 'New pods did not become available in time.',
        evidence: [{ subject, line: `Progressing=False, ${condition.reason}: ${condition.message ?? ''}` }],
        fix: `See why its new pods are not ready, or go back: kubectl rollout undo deployment/${subject.name} -n ${subject.namespace}.`,
        commands: [describeCommand(subject)],
        confidence: 'possible',
      },
    ]
  })
}
