// Questions that are answered and not kept: who am I, may I, may they; and the bare Binding.

import type { KindRules, NameRule } from '../kind-row.ts'

const anyName: NameRule = () => []

function question(group: string, kind: string): KindRules {
  return { group, version: 'v1', kind, virtual: true, nameRule: anyName }
}

export const reviewRules: readonly KindRules[] = [
  question('authentication.k8s.io', 'TokenReview'),
  question('authentication.k8s.io', 'SelfSubjectReview'),
  question('authorization.k8s.io', 'SubjectAccessReview'),
  question('authorization.k8s.io', 'LocalSubjectAccessReview'),
  question('authorization.k8s.io', 'SelfSubjectAccessReview'),
  question('authorization.k8s.io', 'SelfSubjectRulesReview'),
  question('', 'Binding'),
]
