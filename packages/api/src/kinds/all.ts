// The rules of every kind that has some of its own; all others get the common behaviour.

import type { KindRules } from '../kind-row.ts'

export const allRules: readonly KindRules[] = []
