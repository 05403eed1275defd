// Every fault that `tests/e2e/diagnosis.test.ts` causes.

import { consequences } from './consequences.ts'
import { performance } from './load.ts'
import { network, storageAndAccess, workloads } from './others.ts'
import { papers } from './papers.ts'
import { containers, pending } from './pods.ts'
import type { Scenario } from './scenario.ts'

export { network, pending }

export const scenarios: readonly Scenario[] = [
  ...pending,
  ...containers,
  ...workloads,
  ...performance,
  ...network,
  ...storageAndAccess,
  ...papers,
  ...consequences,
]
