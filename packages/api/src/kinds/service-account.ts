// ServiceAccount: an identity of pods; its tokens come from the /token subresource.

import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ServiceAccount } from '../types/core-v1.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

export const serviceAccountRules: KindRules<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  validateCreate: () => [],
  columns: [nameColumn, column('Secrets', 'Number of secrets that its pods may use.'), ageColumn],
  cells: (account, nowMs) => [
    account.metadata.name,
    (account.secrets ?? []).length,
    ageOf(account.metadata.creationTimestamp, nowMs),
  ],
}
