// Conditions in the status of a definition.

import type { Draft } from '@aksel/base/draft'
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../../types/apiextensions-v1.ts'

export type ConditionType =
  | 'Established'
  | 'NamesAccepted'
  | 'NonStructuralSchema'
  | 'Terminating'
  | 'KubernetesAPIApprovalPolicyConformant'

export interface NewCondition {
  readonly type: ConditionType
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

export function conditionOf(
  { status }: CustomResourceDefinition,
  type: ConditionType,
): CustomResourceDefinitionCondition | undefined {
  return status?.conditions?.find((one) => one.type === type)
}

export function isConditionTrue(definition: CustomResourceDefinition, type: ConditionType): boolean {
  return conditionOf(definition, type)?.status === 'True'
}

/** `now`: RFC 3339; the transition time stays while the status does. True when anything changed. */
export function setCondition(definition: Draft<CustomResourceDefinition>, next: NewCondition, now: string): boolean {
  definition.status ??= { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] }
  const { conditions } = definition.status
  const existing = conditions.find(({ type }) => type === next.type)
  if (existing === undefined) {
    conditions.push({ ...next, lastTransitionTime: now })
    return true
  }
  if (existing.status === next.status && existing.reason === next.reason && existing.message === next.message)
    return false
  if (existing.status !== next.status) existing.lastTransitionTime = now
  Object.assign(existing, next)
  return true
}
