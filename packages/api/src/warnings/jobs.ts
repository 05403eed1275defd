// What jobs are told of: more indexes than can be tracked, and their template.

import type { JobSpec } from '../types/batch-v1.ts'
import { templateWarnings } from './pod-template.ts'

const completionsSoftMax = 100_000
const parallelismSoftMax = 10_000

/** `path` is that of the job's spec. */
export function jobSpecWarnings(spec: JobSpec, path: string): readonly string[] {
  const isWide =
    spec.completionMode === 'Indexed' &&
    (spec.completions ?? 0) > completionsSoftMax &&
    (spec.parallelism ?? 0) > parallelismSoftMax
  const wide = isWide
    ? [
        `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
      ]
    : []
  return [...wide, ...templateWarnings(spec.template, `${path}.template`)]
}
