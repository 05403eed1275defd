// What a CronJob may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

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
      { 'metadata.name': 'a'.repeat(53) },
      `metadata.name: Invalid value: "${'a'.repeat(53)}": must be no more than 52 characters`,
    ],
    [
      { 'spec.concurrencyPolicy': 'Any' },
      'spec.concurrencyPolicy: Unsupported value: "Any": supported values: "Allow", "Forbid", "Replace"',
    ],
  ],
  update: [],
}
