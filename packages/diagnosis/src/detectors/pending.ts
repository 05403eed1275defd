// Pods that no node was found for.

import type { Pod } from '@aksel/api/types/core-v1'
import { describeCommand, type Evidence, type Found } from '../finding.ts'
import { eventLine, podRef, warningOf, type Picture } from '../picture.ts'
import { wantedPods } from '../pod-facts.ts'
import { listed } from '../words.ts'
import { placementOf } from './pending-placement.ts'
import { shortagesOf } from './pending-resources.ts'
import { volumeObstaclesOf } from './pending-volumes.ts'

/** A pod that the scheduler has not looked at for so long was meant for another one. */
const UNSEEN_MS = 30_000

export function pendingPods(picture: Picture): readonly Found[] {
  return wantedPods(picture)
    .filter(({ spec }) => spec.nodeName === undefined || spec.nodeName === '')
    .flatMap((pod) => findingsOf(picture, pod))
}

function findingsOf(picture: Picture, pod: Pod): readonly Found[] {
  const subject = podRef(pod)
  const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  const symptom = 'The pod is Pending: no node was found for it.'
  const look = [describeCommand(subject), 'kubectl get nodes']
  if (condition === undefined) return unseen(picture, pod)
  if (condition.reason === 'SchedulingGated') {
    const gates = (pod.spec.schedulingGates ?? []).map(({ name }) => `"${name}"`)
    const cause = `It is held back by ${listed(gates)}: whoever set the gate has not taken it off.`
    const fix = 'See whether the controller that owns the gate runs; the gate is taken off spec.schedulingGates.'
    return [finding('gated', { symptom: 'The pod is Pending: it is gated.', cause, fix, evidence: [] })]
  }
  if (condition.status !== 'False') return []
  const message = condition.message ?? ''
  const seen: Evidence[] = [{ subject, line: `PodScheduled=False, ${condition.reason}: ${message}` }]
  const noScaleUp = warningOrNormal(picture, pod, 'NotTriggerScaleUp')
  const more = noScaleUp === undefined ? [] : [{ subject, line: eventLine(noScaleUp) }]

  const volumes = volumeObstaclesOf(picture, pod).map(({ id, claim, cause, fix }) =>
    finding(id, {
      symptom,
      cause,
      fix,
      evidence: [...seen, { subject: claim, line: `claim of ${subject.name}` }],
      commands: [describeCommand(claim), `kubectl get storageclass`],
    }),
  )
  if (volumes.length > 0) return volumes
  const { obstacles, open } = placementOf(picture, pod, message)
  const placed = obstacles.map((each) => finding(each.id, { ...each, symptom, evidence: seen }))
  const short = shortagesOf(picture, pod, open).map(({ resource, wanted, free, freeNode, isTooLargeForAll }) =>
    finding(resource === 'pods' ? 'nodes-full' : isTooLargeForAll ? 'too-large' : 'insufficient-resources', {
      symptom,
      cause: isTooLargeForAll
        ? `It asks for ${wanted} of ${resource}: no node has that much, even when empty.`
        : `It asks for ${wanted} of ${resource}; the roomiest node, ${freeNode}, has ${free} left.${more.length > 0 ? ' The autoscaler has no room to add a node.' : ''}`,
      fix: isTooLargeForAll
        ? 'Lower the request, or add a pool of larger machines: az aks nodepool add --node-vm-size.'
        : 'Lower requests, or add nodes: az aks nodepool scale; with an autoscaler raise its --max-count.',
      evidence: [...seen, ...more],
      commands: [`kubectl describe node ${freeNode}`, describeCommand(subject)],
    }),
  )
  const all = [...placed, ...short]
  return all.length > 0
    ? all
    : [
        finding('unschedulable', {
          symptom,
          cause: message,
          fix: 'The scheduler counts the nodes by what rules them out; begin with the largest number.',
          evidence: seen,
          confidence: 'possible',
        }),
      ]

  function finding(
    id: string,
    what: Pick<Found, 'symptom' | 'cause' | 'fix' | 'evidence'> & Partial<Pick<Found, 'commands' | 'confidence'>>,
  ): Found {
    return {
      id: `pending/${id}`,
      subject,
      symptom: what.symptom,
      cause: what.cause,
      fix: what.fix,
      evidence: what.evidence,
      commands: what.commands ?? look,
      confidence: what.confidence ?? 'certain',
    }
  }
}

function unseen(picture: Picture, pod: Pod): readonly Found[] {
  const { schedulerName = 'default-scheduler' } = pod.spec
  const ageMs = picture.nowMs - Date.parse(pod.metadata.creationTimestamp ?? '')
  if (!(ageMs > UNSEEN_MS)) return []
  const subject = podRef(pod)
  const isOther = schedulerName !== 'default-scheduler'
  return [
    {
      id: 'pending/no-scheduler',
      subject,
      symptom: 'The pod is Pending: no scheduler has looked at it.',
      cause: isOther
        ? `It asks for scheduler "${schedulerName}", which has not answered: it may not exist in this cluster.`
        : 'The scheduler of the cluster has not looked at it.',
      evidence: [{ subject, line: `spec.schedulerName: ${schedulerName}; no PodScheduled condition` }],
      fix: isOther
        ? 'Run that scheduler, or leave schedulerName out.'
        : 'Look at the control plane: the scheduler may not lead.',
      commands: [describeCommand(subject), `kubectl get pods -A -o wide | grep ${schedulerName}`],
      confidence: 'likely',
    },
  ]
}

function warningOrNormal(picture: Picture, pod: Pod, reason: string) {
  const { name, namespace } = pod.metadata
  return (
    warningOf(picture, podRef(pod), reason) ??
    picture.events.find(
      ({ reason: own, involvedObject }) =>
        own === reason && involvedObject.name === name && involvedObject.namespace === namespace,
    )
  )
}
