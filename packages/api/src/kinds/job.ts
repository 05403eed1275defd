// Job: pods that run until enough of them succeeded.

import { draftOf, type Draft } from '@aksel/base/draft'
import type { KindRules } from '../kind-row.ts'
import { ageOf, humanDuration } from '../times.ts'
import type { Job, JobSpec } from '../types/batch-v1.ts'
import { selectorText } from '../validation/selectors.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { validateJob, validateJobStatus, validateJobUpdate } from './job-validation.ts'
import { defaultTemplate, selectorColumn, workloadCells, workloadWideColumns } from './workload.ts'
import { jobSpecWarnings } from '../warnings/jobs.ts'
import { nameWarnings, podAddresses } from '../warnings/pod-template.ts'
import { isRespecified } from '../warnings/workloads.ts'
import { releasedPods } from '../validation/released-pods.ts'

/** Also for the template in a cron job. */
export function setJobDefaults(spec: Draft<JobSpec>): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.manualSelector ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ??= 'True'
  defaultTemplate(spec.template)
}

/** The selector and labels that tie pods to this job and no other; the older names stay for those who search them. */
function bindPods({ metadata, spec }: Draft<Job>): void {
  if (spec.manualSelector === true) return
  spec.template.metadata ??= {}
  const labels: Record<string, string> = { ...spec.template.metadata.labels }
  for (const key of ['batch.kubernetes.io/controller-uid', 'controller-uid']) labels[key] = metadata.uid ?? ''
  for (const key of ['batch.kubernetes.io/job-name', 'job-name']) labels[key] = metadata.name
  spec.template.metadata.labels = labels
  spec.selector ??= {}
  spec.selector.matchLabels = { ...spec.selector.matchLabels, 'batch.kubernetes.io/controller-uid': metadata.uid ?? '' }
}

function statusText({ metadata, spec, status }: Job): string {
  const holds = (type: string): boolean =>
    (status?.conditions ?? []).some((one) => one.type === type && one.status === 'True')
  if (holds('Complete')) return 'Complete'
  if (holds('Failed')) return 'Failed'
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  if (holds('Suspended')) return 'Suspended'
  if (holds('FailureTarget')) return 'FailureTarget'
  return holds('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : spec.suspend === true ? 'Suspended' : 'Running'
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`
  const parallelism = spec.parallelism ?? 0
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function durationText({ status }: Job, nowMs: number): string {
  if (status?.startTime === undefined) return ''
  const endMs = status.completionTime === undefined ? nowMs : Date.parse(status.completionTime)
  return humanDuration(endMs - Date.parse(status.startTime))
}

export const jobRules: KindRules<Job> = {
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  generationFields: ['spec'],
  defaultPropagation: 'Orphan',
  default(job) {
    const labels = job.spec.template.metadata?.labels
    if (labels !== undefined && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels }
    setJobDefaults(job.spec)
  },
  prepareForCreate: bindPods,
  validateCreate: validateJob,
  warnings: (job, old) => [
    ...(old === undefined ? nameWarnings(job.metadata.name, 'Pod names and hostnames') : []),
    ...(isRespecified(job, old) ? jobSpecWarnings(job.spec, 'spec') : []),
  ],
  validateRelease: releasedPods(({ spec }) => spec.template.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec.template.spec, 'spec.template.spec'),
  validateUpdate: validateJobUpdate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<Job>['spec']
      },
      validateUpdate: validateJobStatus,
    },
  },
  columns: [
    nameColumn,
    column('Status', 'What became of it.'),
    column('Completions', 'Pods that succeeded, of those wanted.'),
    column('Duration', 'Time it took, or has taken so far.'),
    ageColumn,
    ...workloadWideColumns,
    selectorColumn,
  ],
  cells: (job, nowMs) => [
    job.metadata.name,
    statusText(job),
    completionsText(job),
    durationText(job, nowMs),
    ageOf(job.metadata.creationTimestamp, nowMs),
    ...workloadCells(job.spec.template),
    selectorText(job.spec.selector),
  ],
  selectableFields: ({ status }) => ({ 'status.successful': String(status?.succeeded ?? 0) }),
}
