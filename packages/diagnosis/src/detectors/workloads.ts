// Jobs that gave up, cron jobs that do not run, budgets that block, sets that miss what they rest on.

import type { CronJob, Job } from '@aksel/api/types/batch-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { logKey, refOf, type Picture } from '../picture.ts'
import { containersOf, isOver, isReady } from '../pod-facts.ts'
import { didYouMean } from '../words.ts'
import { causeInLog } from './log-causes.ts'

export function jobs(picture: Picture): readonly Found[] {
  return [
    ...picture.jobs.flatMap((job) => failedJob(picture, job) ?? []),
    ...picture.cronJobs.flatMap((each) => cronJob(each) ?? []),
  ]
}

function failedJob(picture: Picture, job: Job): Found | undefined {
  const failed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True')
  if (failed === undefined) return undefined
  const subject = refOf('Job', job)
  const pods = picture.pods.filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid),
  )
  const said = pods.flatMap((pod) =>
    containersOf(pod).flatMap(({ spec }) => causeInLog(picture.logs.get(logKey(pod, spec.name)) ?? []) ?? []),
  )[0]
  const [pod] = pods
  return {
    id: said?.id ?? 'workloads/job-failed',
    subject,
    symptom: `The Job failed: ${failed.reason}.`,
    cause:
      said?.cause ??
      (failed.reason === 'DeadlineExceeded'
        ? 'It took longer than its activeDeadlineSeconds.'
        : 'Its pods failed as often as backoffLimit allows.'),
    evidence: [
      { subject, line: `Failed=True, ${failed.reason}: ${failed.message ?? ''}` },
      ...(said === undefined || pod === undefined ? [] : [{ subject: refOf('Pod', pod), line: `log: ${said.line}` }]),
    ],
    fix: said?.fix ?? 'The logs of its pods say why; a Job is not tried again, make a new one.',
    commands: [`kubectl logs job/${subject.name}${inNamespace(subject)}`, describeCommand(subject)],
    confidence: said === undefined ? 'possible' : 'likely',
  }
}

function cronJob(each: CronJob): Found | undefined {
  if (each.spec?.suspend !== true) return undefined
  const subject = refOf('CronJob', each)
  return {
    id: 'workloads/cron-suspended',
    subject,
    symptom: 'The CronJob starts nothing.',
    cause: 'It is suspended.',
    evidence: [{ subject, line: 'spec.suspend: true' }],
    fix: `If that is not meant: kubectl patch cronjob ${subject.name}${inNamespace(subject)} -p '{"spec":{"suspend":false}}'.`,
    commands: [describeCommand(subject)],
    confidence: 'certain',
  }
}

/** Budgets that let no pod go while every pod is well: drains and upgrades will stand still before them. */
export function budgets(picture: Picture): readonly Found[] {
  return picture.podDisruptionBudgets.flatMap((budget): readonly Found[] => {
    const subject = refOf('PodDisruptionBudget', budget)
    const own = picture.pods.filter(
      (pod) =>
        pod.metadata.namespace === subject.namespace &&
        !isOver(pod) &&
        matchesSelector(budget.spec?.selector, pod.metadata.labels),
    )
    if (own.length === 0)
      return [
        {
          id: 'workloads/budget-empty',
          subject,
          symptom: 'The budget protects nothing.',
          cause: 'No pod of the namespace has the labels that it selects.',
          evidence: [{ subject, line: `spec.selector: ${JSON.stringify(budget.spec?.selector ?? {})}` }],
          fix: 'Correct the selector, or delete the budget.',
          commands: [`kubectl get pods --show-labels${inNamespace(subject)}`],
          confidence: 'possible',
        },
      ]
    if ((budget.status?.disruptionsAllowed ?? 0) > 0 || !own.every(isReady)) return []
    const { minAvailable, maxUnavailable } = budget.spec ?? {}
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
    return [
      {
        id: 'workloads/budget-blocks',
        subject,
        symptom: 'No pod of the budget may be evicted: drains and node upgrades will wait until they time out.',
        cause: `It wants ${desiredHealthy} healthy pods (${minAvailable === undefined ? `maxUnavailable ${maxUnavailable}` : `minAvailable ${minAvailable}`}), and there are ${currentHealthy}.`,
        evidence: [
          {
            subject,
            line: `status.disruptionsAllowed: 0, currentHealthy ${currentHealthy}, desiredHealthy ${desiredHealthy}`,
          },
        ],
        fix: 'Run one replica more, or let the budget allow one disruption.',
        commands: [describeCommand(subject)],
        confidence: 'certain',
      },
    ]
  })
}

export function statefulSets(picture: Picture): readonly Found[] {
  if (picture.unread.has('services')) return []
  return picture.statefulSets.flatMap((set): readonly Found[] => {
    const serviceName = set.spec?.serviceName ?? ''
    const subject = refOf('StatefulSet', set)
    const known = picture.services
      .filter(({ metadata }) => metadata.namespace === subject.namespace)
      .map(({ metadata }) => metadata.name)
    if (serviceName === '' || known.includes(serviceName)) return []
    return [
      {
        id: 'network/governing-service-missing',
        subject,
        symptom: 'The pods of the set have no names in DNS.',
        cause: `Its service "${serviceName}" does not exist.${didYouMean(serviceName, known)}`,
        evidence: [{ subject, line: `spec.serviceName: ${serviceName}` }],
        fix: 'Create the headless service that it names.',
        commands: [`kubectl get services${inNamespace(subject)}`],
        confidence: 'certain',
      },
    ]
  })
}
