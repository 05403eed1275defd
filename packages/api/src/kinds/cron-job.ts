// CronJob: jobs by the calendar.

import type { Draft } from '@aksel/base/draft'
import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { CronJob } from '../types/batch-v1.ts'
import { cronComplaint } from '../validation/cron.ts'
import { nonNegative, requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { validateJobSpec } from './job-validation.ts'
import { setJobDefaults } from './job.ts'
import { selectorColumn, workloadCells, workloadWideColumns } from './workload.ts'
import { selectorText } from '../validation/selectors.ts'
import { jobSpecWarnings } from '../warnings/jobs.ts'
import { nameWarnings, podAddresses } from '../warnings/pod-template.ts'
import { releasedPods } from '../validation/released-pods.ts'

const nameMax = 52

function setDefaults({ spec }: Draft<CronJob>): void {
  spec.concurrencyPolicy ??= 'Allow'
  spec.suspend ??= false
  spec.successfulJobsHistoryLimit ??= 3
  spec.failedJobsHistoryLimit ??= 1
  if (spec.jobTemplate.spec !== undefined) setJobDefaults(spec.jobTemplate.spec)
}

function validate({ metadata, spec }: CronJob): readonly FieldError[] {
  const errors: FieldError[] = []
  if (metadata.name !== undefined && metadata.name.length > nameMax)
    errors.push(invalid('metadata.name', metadata.name, 'must be no more than 52 characters'))
  errors.push(...validateSchedule(spec.schedule), ...validateZone(spec.timeZone))
  errors.push(...nonNegative(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'))
  errors.push(...requiredOneOf(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], 'spec.concurrencyPolicy'))
  const job = spec.jobTemplate.spec
  if (job !== undefined) {
    errors.push(...validateJobSpec(job, 'spec.jobTemplate.spec'))
    if (job.selector !== undefined)
      errors.push(invalid('spec.jobTemplate.spec.selector', job.selector, '`selector` will be auto-generated'))
    if (job.manualSelector === true)
      errors.push(notSupported('spec.jobTemplate.spec.manualSelector', job.manualSelector, ['nil', 'false']))
  }
  for (const field of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const)
    errors.push(...nonNegative(spec[field], `spec.${field}`))
  return errors
}

function validateSchedule(schedule: string): readonly FieldError[] {
  if (schedule === '') return [required('spec.schedule')]
  if (schedule.includes('TZ'))
    return [invalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')]
  const wrong = cronComplaint(schedule)
  return wrong === undefined ? [] : [invalid('spec.schedule', schedule, wrong)]
}

function validateZone(zone: string | undefined): readonly FieldError[] {
  if (zone === undefined) return []
  if (zone === '') return [invalid('spec.timeZone', zone, 'timeZone must be nil or non-empty string')]
  if (zone.toLowerCase() === 'local')
    return [
      invalid(
        'spec.timeZone',
        zone,
        'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ),
    ]
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return []
  } catch {
    return [invalid('spec.timeZone', zone, `unknown time zone ${zone}`)]
  }
}

export const cronJobRules: KindRules<CronJob> = {
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  warnings: ({ metadata, spec }, old) => [
    ...(old === undefined ? nameWarnings(metadata.name, 'Pod names and hostnames') : []),
    ...jobSpecWarnings(spec.jobTemplate.spec ?? { template: {} }, 'spec.jobTemplate.spec'),
  ],
  validateRelease: releasedPods(
    ({ spec }) => spec.jobTemplate.spec?.template.spec,
    'spec.jobTemplate.spec.template.spec',
  ),
  legacyAddresses: ({ spec }) =>
    podAddresses(spec.jobTemplate.spec?.template.spec, 'spec.jobTemplate.spec.template.spec'),
  columns: [
    nameColumn,
    column('Schedule', 'When it runs.'),
    column('Timezone', 'Where that time is.'),
    column('Suspend', 'Whether it is held.', 'boolean'),
    column('Active', 'Jobs of it that run now.', 'integer'),
    column('Last Schedule', 'Time since it last ran.'),
    ageColumn,
    ...workloadWideColumns,
    selectorColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec.schedule,
    spec.timeZone ?? '<none>',
    spec.suspend === true ? 'True' : 'False',
    (status?.active ?? []).length,
    status?.lastScheduleTime === undefined ? '<none>' : ageOf(status.lastScheduleTime, nowMs),
    ageOf(metadata.creationTimestamp, nowMs),
    ...workloadCells(spec.jobTemplate.spec?.template),
    selectorText(spec.jobTemplate.spec?.selector),
  ],
}
