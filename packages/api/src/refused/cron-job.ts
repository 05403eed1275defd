// What a CronJob may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue, nonNegative } from './words.ts'

export const cronJobExamples: RefusedExamples = {
  kind: 'CronJob',
  valid: {
    metadata: { name: 'web' },
    spec: {
      schedule: '*/5 * * * *',
      jobTemplate: {
        spec: {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { containers: [{ name: 'main', image: 'web:1' }], restartPolicy: 'Never' },
          },
        },
      },
    },
  },
  create: [
    [
      { 'spec.schedule': 'hourly' },
      'spec.schedule: Invalid value: "hourly": expected exactly 5 fields, found 1: [hourly]',
    ],
    [
      { 'spec.schedule': '61 * * * *' },
      'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
    ],
    [
      { 'spec.schedule': 'TZ=UTC 1 * * * *' },
      'spec.schedule: Invalid value: "TZ=UTC 1 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
    [{ 'spec.timeZone': 'Mars/Base' }, 'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
    [
      { 'metadata.name': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
      'metadata.name: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 52 characters',
    ],
    [
      { 'spec.concurrencyPolicy': 'Any' },
      'spec.concurrencyPolicy: Unsupported value: "Any": supported values: "Allow", "Forbid", "Replace"',
    ],
    [{ 'spec.schedule': '' }, 'spec.schedule: Required value'],
    [{ 'spec.timeZone': '' }, 'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string'],
    [
      { 'spec.timeZone': 'Local' },
      'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    ],
    [{ 'spec.startingDeadlineSeconds': -1 }, `spec.startingDeadlineSeconds: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.successfulJobsHistoryLimit': -1 }, `spec.successfulJobsHistoryLimit: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.jobTemplate.spec.manualSelector': true },
      'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
    ],
    [
      { 'spec.jobTemplate.spec.selector': { matchLabels: { a: 'b' } } },
      'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
    ],
    [
      { 'spec.jobTemplate.spec.template.spec.restartPolicy': 'Always' },
      'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      { 'spec.schedule': '* * * *' },
      'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
    ],
    [
      { 'spec.schedule': '@sometimes' },
      'spec.schedule: Invalid value: "@sometimes": unrecognized descriptor: @sometimes',
    ],
  ],
  update: [
    [{ 'spec.schedule': 'soon' }, 'spec.schedule: Invalid value: "soon": expected exactly 5 fields, found 1: [soon]'],
  ],
  status: [[{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`]],
}
