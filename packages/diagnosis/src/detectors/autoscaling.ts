// Autoscalers that cannot count, and those that have counted to their end.

import type { HorizontalPodAutoscaler } from '@aksel/api/types/autoscaling-v2'
import { describeCommand, inNamespace, type Evidence, type Found, type Subject } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'
import { didYouMean } from '../words.ts'

export function autoscalers(picture: Picture): readonly Found[] {
  return picture.horizontalPodAutoscalers.flatMap((each) => findingOf(picture, each) ?? [])
}

function findingOf(picture: Picture, scaler: HorizontalPodAutoscaler): Found | undefined {
  const subject = refOf('HorizontalPodAutoscaler', scaler)
  const condition = (type: string) => scaler.status?.conditions?.find((each) => each.type === type)
  const line = (type: string): readonly Evidence[] => {
    const { status, reason, message } = condition(type)!
    return [{ subject, line: `${type}=${status}, ${reason}: ${message ?? ''}` }]
  }
  const [able, active, limited] = [condition('AbleToScale'), condition('ScalingActive'), condition('ScalingLimited')]
  const common = { subject, commands: [describeCommand(subject)] }
  if (able?.status === 'False' && able.reason === 'FailedGetScale') {
    const { kind, name } = scaler.spec!.scaleTargetRef
    return {
      ...common,
      id: 'performance/autoscaler-target',
      symptom: 'The autoscaler scales nothing.',
      cause: `Its target ${kind} "${name}" cannot be read.${didYouMean(name, namesOf(picture, kind, subject))}`,
      evidence: line('AbleToScale'),
      fix: 'Correct scaleTargetRef.',
      confidence: 'certain',
    }
  }
  if (active?.status === 'False' && active.reason !== 'ScalingDisabled') {
    const missing = /missing request for (\w+)(?: in container (\S+))?/.exec(active.message ?? '')
    return {
      ...common,
      id: missing === null ? 'performance/autoscaler-metrics' : 'performance/autoscaler-requests',
      symptom: 'The autoscaler shows <unknown> and scales nothing.',
      cause:
        missing === null
          ? `It gets no metrics: ${active.message ?? ''}`
          : `Utilisation is a share of the request, and ${missing[2] === undefined ? 'the containers have' : `container "${missing[2]}" has`} no ${missing[1]} request.`,
      evidence: line('ScalingActive'),
      fix:
        missing === null
          ? 'See whether the pods run and report metrics (kubectl top pods), and whether the metric that it names exists.'
          : `Set resources.requests.${missing[1]} in the pod template.`,
      commands: [`kubectl top pods${inNamespace(subject)}`, describeCommand(subject)],
      confidence: missing === null ? 'likely' : 'certain',
    }
  }
  const maxReplicas = scaler.spec?.maxReplicas ?? 0
  if (limited?.status !== 'True' || limited.reason !== 'TooManyReplicas') return undefined
  if ((scaler.status?.currentReplicas ?? 0) < maxReplicas) return undefined
  return {
    ...common,
    id: 'performance/autoscaler-at-maximum',
    symptom: 'The load asks for more replicas than the autoscaler may run.',
    cause: `It is at its maximum of ${maxReplicas}.`,
    evidence: line('ScalingLimited'),
    fix: `Raise maxReplicas, or make each replica do more: kubectl patch hpa ${subject.name}${inNamespace(subject)} -p '{"spec":{"maxReplicas":${maxReplicas * 2}}}'.`,
    confidence: 'certain',
  }
}

function namesOf(
  { deployments, statefulSets, replicaSets }: Picture,
  kind: string,
  { namespace }: Subject,
): readonly string[] {
  const objects = kind === 'StatefulSet' ? statefulSets : kind === 'ReplicaSet' ? replicaSets : deployments
  return objects.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name)
}
