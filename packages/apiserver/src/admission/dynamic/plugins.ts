// The plug-ins that ask what the cluster's own objects say: policies and webhooks, in the order in which they run.

import type { Log } from '@aksel/base/log'
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '@aksel/api/types/admissionregistration-v1'
import type { RecordStore } from '../../registry/record-store.ts'
import type { Kinds } from '../../registry/registry.ts'
import type { WebhookClient } from '../../webhook/client.ts'
import type { AdmissionPlugin } from '../admission.ts'
import { mutatingPolicies } from './mutating-policies.ts'
import { policySource } from './policy-source.ts'
import { validatingPolicies } from './validating-policies.ts'
import { webhookSource } from './webhook-source.ts'
import { mutatingWebhooks, validatingWebhooks } from './webhooks.ts'

export interface DynamicParts {
  readonly records: RecordStore
  readonly kinds: Kinds
  readonly client: WebhookClient
  readonly log: Log
  readonly signal: AbortSignal
}

const group = 'admissionregistration.k8s.io'

export function dynamicPlugins({ records, kinds, client, log, signal }: DynamicParts): readonly AdmissionPlugin[] {
  const row = (plural: string): ReturnType<Kinds['find']> =>
    kinds.find(group, 'v1', plural) ?? kinds.find(group, 'v1beta1', plural)
  const mutatingRows = { policies: row('mutatingadmissionpolicies'), bindings: row('mutatingadmissionpolicybindings') }
  const validatingRows = {
    policies: row('validatingadmissionpolicies'),
    bindings: row('validatingadmissionpolicybindings'),
  }
  return [
    mutatingPolicies(
      policySource<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>(records, mutatingRows, signal),
    ),
    mutatingWebhooks({ source: webhookSource(records, row('mutatingwebhookconfigurations'), signal), client, log }),
    validatingPolicies(
      policySource<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>(records, validatingRows, signal),
    ),
    validatingWebhooks({ source: webhookSource(records, row('validatingwebhookconfigurations'), signal), client, log }),
  ]
}
