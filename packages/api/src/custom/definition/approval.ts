// Groups of the Kubernetes community may only be extended with a link to where that was agreed, or saying that it was not.

import { invalid, required, type FieldError } from '../../field-errors.ts'
import type { CustomResourceDefinition } from '../../types/apiextensions-v1.ts'
import type { NewCondition } from './conditions.ts'

export const approvedAnnotation = 'api-approved.kubernetes.io'

export function isProtectedGroup(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group)
}

interface Approval {
  readonly state: 'invalid' | 'missing' | 'approved' | 'bypassed'
  readonly reason: string
}

export function approvalOf({ metadata }: CustomResourceDefinition): Approval {
  const text = metadata.annotations?.[approvedAnnotation] ?? ''
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111'
  const must = `protected groups must have approval annotation ${JSON.stringify(approvedAnnotation)}`
  if (text === '') return { state: 'missing', reason: `${must}, ${see}` }
  if (text.startsWith('unapproved')) return { state: 'bypassed', reason: `not approved: ${JSON.stringify(text)}` }
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+/i.test(text)) return { state: 'approved', reason: `approved in ${text}` }
  return { state: 'invalid', reason: `${must} with either a URL or a reason starting with "unapproved", ${see}` }
}

export function approvalErrors(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): readonly FieldError[] {
  if (!isProtectedGroup(definition.spec.group)) return []
  const { state, reason } = approvalOf(definition)
  if (old !== undefined && approvalOf(old).state === state) return []
  const path = `metadata.annotations[${approvedAnnotation}]`
  if (state === 'missing') return [required(path, reason)]
  return state === 'invalid' ? [invalid(path, definition.metadata.annotations![approvedAnnotation], reason)] : []
}

const verdicts = {
  invalid: ['False', 'InvalidAnnotation'],
  missing: ['False', 'MissingAnnotation'],
  approved: ['True', 'ApprovedAnnotation'],
  bypassed: ['False', 'UnapprovedAnnotation'],
} as const

/** Undefined for groups that need no approval. */
export function approvalCondition(definition: CustomResourceDefinition): NewCondition | undefined {
  if (!isProtectedGroup(definition.spec.group)) return undefined
  const { state, reason } = approvalOf(definition)
  const [status, word] = verdicts[state]
  return { type: 'KubernetesAPIApprovalPolicyConformant', status, reason: word, message: reason }
}
