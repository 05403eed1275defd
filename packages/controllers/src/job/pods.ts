// What a job reads from its pods, and the pods it makes.

import { jobs } from '@aksel/api/resources'
import type { Job } from '@aksel/api/types/batch-v1'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { podFromTemplate } from '../pod-control.ts'
import { isTerminating, podCondition } from '../pod-facts.ts'
import { judgeFailure } from './failure-policy.ts'
import { indexAnnotation } from './indexes.ts'

/** Keeps a pod until its job has counted it. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count'
export const ignoredCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count'

export function isIndexed({ spec }: Job): boolean {
  return spec.completionMode === 'Indexed'
}

export function hasLimitPerIndex({ spec }: Job): boolean {
  return isIndexed({ spec } as Job) && spec.backoffLimitPerIndex !== undefined
}

/** A pod on its way out is replaced only when it has failed. */
export function waitsForFailed({ spec }: Job): boolean {
  return spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined
}

export function isTracked({ metadata }: Pod): boolean {
  return (metadata.finalizers ?? []).includes(trackingFinalizer)
}

/** A pod that is being deleted counts as failed too, where it is replaced at once: it may never report. */
export function isFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true
  return !waitsForFailed(job) && isTerminating(pod) && pod.status?.phase !== 'Succeeded'
}

/** When the pod ended, milliseconds; as near as its status tells. */
export function finishedAtMs({ metadata, status }: Pod): number {
  const ended = (status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''))
  if (ended.length > 0 && ended.every((ms) => !Number.isNaN(ms))) return Math.max(...ended)
  const ready = podCondition({ metadata, status } as Pod, 'Ready')?.lastTransitionTime
  return Date.parse(metadata.deletionTimestamp ?? ready ?? metadata.creationTimestamp ?? '') || 0
}

function count({ metadata }: Pod, annotation: string): number {
  const text = metadata.annotations?.[annotation]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : 0
}

export interface FailureCounts {
  readonly counted: number
  readonly ignored: number
}

/** Failures of an index once this failed pod of it is counted: what its successor carries on. */
export function countsAfter(job: Job, failed: Pod | undefined): FailureCounts {
  if (failed === undefined) return { counted: 0, ignored: 0 }
  const [counted, ignored] = [count(failed, failureCountAnnotation), count(failed, ignoredCountAnnotation)]
  return judgeFailure(job, failed).counts ? { counted: counted + 1, ignored } : { counted, ignored: ignored + 1 }
}

/** The pod of a plain job, or of one index; `replaced` is the failed pod of the same index that it follows. */
export function newPod(job: Job, index: number | undefined, replaced: Pod | undefined): Pod {
  const owner = { type: jobs, object: job, source: 'job-controller' }
  const pod = podFromTemplate(owner, job.spec.template)
  const finalizers = [
    ...(pod.metadata.finalizers ?? []).filter((each) => each !== trackingFinalizer),
    trackingFinalizer,
  ]
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } }
  const text = String(index)
  const counts = hasLimitPerIndex(job) ? countsAfter(job, replaced) : undefined
  const { containers, initContainers } = pod.spec
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name}-${text}-`,
      finalizers,
      labels: { ...pod.metadata.labels, [indexAnnotation]: text },
      annotations: {
        ...pod.metadata.annotations,
        [indexAnnotation]: text,
        ...(counts === undefined ? {} : { [failureCountAnnotation]: String(counts.counted) }),
        ...(counts === undefined || counts.ignored === 0 ? {} : { [ignoredCountAnnotation]: String(counts.ignored) }),
      },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${text}`,
      containers: containers.map(withIndex),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withIndex) }),
    },
  }
}

const indexVariable = 'JOB_COMPLETION_INDEX'

function withIndex(container: Container): Container {
  const env = container.env ?? []
  if (env.some(({ name }) => name === indexVariable)) return container
  const fieldRef = { fieldPath: `metadata.labels['${indexAnnotation}']` }
  return { ...container, env: [...env, { name: indexVariable, valueFrom: { fieldRef } }] }
}
