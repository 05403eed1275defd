// Pods that were never made: the object that should make them was refused.

import type { KubernetesObject } from '@aksel/api/resource'
import { inNamespace, type Found, type Subject } from '../finding.ts'
import { eventLine, refOf, warningOf, type Picture } from '../picture.ts'
import { didYouMean } from '../words.ts'

interface Maker {
  readonly kind: string
  readonly object: KubernetesObject
  readonly wants: number
  readonly has: number
}

export function refusedPods(picture: Picture): readonly Found[] {
  return makersOf(picture).flatMap(({ kind, object, wants, has }) => {
    if (has >= wants) return []
    const subject = refOf(kind, object)
    const event = warningOf(picture, subject, 'FailedCreate')
    if (event === undefined) return []
    const { id, cause, fix, commands } = refusalOf(picture, subject, event.message ?? '')
    return [
      {
        id,
        subject: topOf(object) ?? subject,
        symptom: `${has} of ${wants} pods exist: making more is refused.`,
        cause,
        evidence: [{ subject, line: eventLine(event) }],
        fix,
        commands: [...commands, `kubectl describe ${kind.toLowerCase()} ${subject.name}${inNamespace(subject)}`],
        confidence: id === 'workloads/create-refused' ? 'possible' : 'certain',
      },
    ]
  })
}

function makersOf({ replicaSets, statefulSets, daemonSets, jobs }: Picture): readonly Maker[] {
  return [
    ...replicaSets.map((object) => ({
      kind: 'ReplicaSet',
      object,
      wants: object.spec?.replicas ?? 1,
      has: object.status?.replicas ?? 0,
    })),
    ...statefulSets.map((object) => ({
      kind: 'StatefulSet',
      object,
      wants: object.spec?.replicas ?? 1,
      has: object.status?.replicas ?? 0,
    })),
    ...daemonSets.map((object) => ({
      kind: 'DaemonSet',
      object,
      wants: object.status?.desiredNumberScheduled ?? 0,
      has: object.status?.currentNumberScheduled ?? 0,
    })),
    ...jobs
      .filter(
        ({ status }) =>
          !(status?.conditions ?? []).some(
            ({ type, status: value }) => value === 'True' && (type === 'Complete' || type === 'Failed'),
          ),
      )
      .map((object) => ({
        kind: 'Job',
        object,
        wants: object.spec?.suspend === true ? 0 : 1,
        has: (object.status?.active ?? 0) + (object.status?.succeeded ?? 0),
      })),
  ]
}

/** The deployment above a replica set, the cron job above a job. */
function topOf({ metadata }: KubernetesObject): Subject | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  const { namespace } = metadata
  return owner && { kind: owner.kind, ...(namespace === undefined ? {} : { namespace }), name: owner.name }
}

interface Refusal {
  readonly id: string
  readonly cause: string
  readonly fix: string
  readonly commands: readonly string[]
}

function refusalOf(picture: Picture, { namespace = '' }: Subject, message: string): Refusal {
  const at = inNamespace({ namespace })
  const exceeded = /exceeded quota: ([\w.-]+), requested: ([^,]+(?:,[^,]+=[^,]+)*), used: (.+), limited: (.+)/.exec(
    message,
  )
  if (exceeded !== null)
    return {
      id: 'workloads/quota-exceeded',
      cause: `Quota "${exceeded[1]}" of the namespace is used up: ${exceeded[3]} of ${exceeded[4]} are taken, and a pod needs ${exceeded[2]} more.`,
      fix: 'Raise the quota, lower the requests, or take other pods away.',
      commands: [`kubectl describe resourcequota ${exceeded[1]}${at}`],
    }
  const must = /failed quota: ([\w.-]+): must specify (.+)/.exec(message)
  if (must !== null)
    return {
      id: 'workloads/quota-demands',
      cause: `Quota "${must[1]}" of the namespace demands that every pod says its ${must[2]}.`,
      fix: 'Set them in the pod template, or give the namespace a LimitRange with defaults.',
      commands: [`kubectl describe resourcequota ${must[1]}${at}`],
    }
  const security = /violates PodSecurity "([^"]+)": (.+)/.exec(message)
  if (security !== null)
    return {
      id: 'workloads/pod-security',
      cause: `The namespace enforces Pod Security "${security[1]}": ${security[2]}`,
      fix: 'Change the security context of the pod, or the label of the namespace.',
      commands: [`kubectl get namespace ${namespace} --show-labels`],
    }
  const account = /serviceaccount "([\w.-]+)" not found/i.exec(message)
  if (account !== null) {
    const known = picture.serviceAccounts.filter(({ metadata }) => metadata.namespace === namespace)
    return {
      id: 'workloads/service-account-missing',
      cause: `Service account "${account[1]}" does not exist.${didYouMean(
        account[1]!,
        known.map(({ metadata }) => metadata.name),
      )}`,
      fix: `Create it: kubectl create serviceaccount ${account[1]}${at}.`,
      commands: [`kubectl get serviceaccounts${at}`],
    }
  }
  const priority = /no PriorityClass with name ([\w.-]+) was found/.exec(message)
  if (priority !== null)
    return {
      id: 'workloads/priority-class-missing',
      cause: `Priority class "${priority[1]}" does not exist.`,
      fix: 'Create it, or correct priorityClassName.',
      commands: ['kubectl get priorityclasses'],
    }
  const limits = /(?:maximum|minimum) (?:cpu|memory|\S+) usage per (?:Container|Pod) is .+/.exec(message)
  if (limits !== null)
    return {
      id: 'workloads/limit-range',
      cause: `A LimitRange of the namespace forbids it: ${limits[0]}`,
      fix: 'Change requests and limits of the containers, or the range.',
      commands: [`kubectl describe limitrange${at}`],
    }
  const webhook = /admission webhook "([^"]+)" denied the request:? ?(.*)/.exec(message)
  if (webhook !== null)
    return {
      id: 'workloads/webhook-denied',
      cause: `Admission webhook "${webhook[1]}" refuses it: ${webhook[2]}`,
      fix: 'Do as its message says, or ask its owner.',
      commands: ['kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations'],
    }
  const dead = /failed calling webhook "([^"]+)": (.+)/.exec(message)
  if (dead !== null)
    return {
      id: 'workloads/webhook-unreachable',
      cause: `Admission webhook "${dead[1]}" does not answer: ${dead[2]}`,
      fix: 'Bring the webhook back; until then its failurePolicy decides.',
      commands: ['kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations'],
    }
  return { id: 'workloads/create-refused', cause: message, fix: 'Do as the message says.', commands: [] }
}
