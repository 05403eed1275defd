// ServiceAccount: an identity of pods; its tokens come from the /token subresource.

import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ServiceAccount } from '../types/core-v1.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const mountable = 'kubernetes.io/enforce-mountable-secrets'

export const serviceAccountRules: KindRules<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  validateCreate: () => [],
  warnings: ({ metadata }, old) =>
    metadata.annotations?.[mountable] !== undefined && old?.metadata.annotations?.[mountable] === undefined
      ? [
          `metadata.annotations[${mountable}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
  columns: [nameColumn, column('Secrets', 'Number of secrets that its pods may use.'), ageColumn],
  cells: (account, nowMs) => [
    account.metadata.name,
    (account.secrets ?? []).length,
    ageOf(account.metadata.creationTimestamp, nowMs),
  ],
}
