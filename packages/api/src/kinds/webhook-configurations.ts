// ValidatingWebhookConfiguration and MutatingWebhookConfiguration: who outside is asked before a write.

import type { Draft } from '@aksel/base/draft'
import {
  defaultRules,
  failurePolicies,
  matchPolicies,
  reinvocationPolicies,
  validateMatchConditions,
  validateRule,
} from '../admission/rules.ts'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from '../types/admissionregistration-v1.ts'
import { dnsLabel1035, dnsSubdomain } from '../validation/names.ts'
import { validateSelector } from '../validation/selectors.ts'
import { complain, oneOf } from '../validation/values.ts'
import { webhookServiceErrors, webhookUrlErrors } from '../validation/webhooks.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

type Webhook = ValidatingWebhook | MutatingWebhook
type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration

const sideEffects = ['None', 'NoneOnDryRun']
const oldSideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown']
const reviewVersions = ['v1', 'v1beta1']
const timeoutSecondsMax = 30

function defaultWebhook(webhook: Draft<Webhook>): void {
  webhook.failurePolicy ??= 'Fail'
  webhook.matchPolicy ??= 'Equivalent'
  webhook.namespaceSelector ??= {}
  webhook.objectSelector ??= {}
  webhook.timeoutSeconds ??= 10
  defaultRules(webhook.rules)
  const { service } = webhook.clientConfig ?? {}
  if (service !== undefined) service.port ??= 443
}

/** What an object that is stored already may keep though a new one may not have it. */
interface Leniency {
  readonly oldSideEffects: boolean
  readonly unknownVersions: boolean
  readonly doubleNames: boolean
  readonly sameConditions: boolean
}

const strict: Leniency = { oldSideEffects: false, unknownVersions: false, doubleNames: false, sameConditions: false }

function leniencyOf(next: Configuration, old: Configuration): Leniency {
  const before: readonly Webhook[] = old.webhooks ?? []
  const after: readonly Webhook[] = next.webhooks ?? []
  const names = before.map(({ name }) => name)
  return {
    oldSideEffects: before.some((webhook) => !sideEffects.includes(webhook.sideEffects)),
    unknownVersions: before.some(
      ({ admissionReviewVersions: versions }) =>
        versions.length > 0 && !versions.some((version) => reviewVersions.includes(version)),
    ),
    doubleNames: new Set(names).size < names.length,
    sameConditions:
      before.length === after.length &&
      before.every((webhook, index) => deepEqual(webhook.matchConditions, after[index]!.matchConditions)),
  }
}

function validate(configuration: Configuration, leniency: Leniency): readonly FieldError[] {
  const names = new Set<string>()
  return (configuration.webhooks ?? []).flatMap((webhook: Webhook, index) => {
    const path = `webhooks[${index}]`
    const errors = [
      ...validateWebhook(webhook, leniency, path),
      ...validateVersions(webhook.admissionReviewVersions ?? [], leniency, `${path}.admissionReviewVersions`),
    ]
    if (!leniency.doubleNames && webhook.name !== '' && names.has(webhook.name)) {
      errors.push(duplicate(`${path}.name`, webhook.name))
    }
    names.add(webhook.name)
    return errors
  })
}

function validateWebhook(webhook: Webhook, leniency: Leniency, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...validateName(webhook.name, `${path}.name`)]
  for (const [index, rule] of (webhook.rules ?? []).entries())
    errors.push(...validateRule(rule, `${path}.rules[${index}]`))
  errors.push(...oneOf(webhook.failurePolicy, failurePolicies, `${path}.failurePolicy`))
  errors.push(...oneOf(webhook.matchPolicy, matchPolicies, `${path}.matchPolicy`))
  const classes = leniency.oldSideEffects ? oldSideEffects : sideEffects
  if (webhook.sideEffects === undefined || webhook.sideEffects === '') {
    errors.push(required(`${path}.sideEffects`, `must specify one of ${classes.join(', ')}`))
  } else errors.push(...oneOf(webhook.sideEffects, classes, `${path}.sideEffects`))
  const { timeoutSeconds } = webhook
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > timeoutSecondsMax)) {
    errors.push(invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'))
  }
  errors.push(...validateSelector(webhook.namespaceSelector, `${path}.namespaceSelector`))
  errors.push(...validateSelector(webhook.objectSelector, `${path}.objectSelector`))
  if ('reinvocationPolicy' in webhook) {
    errors.push(...oneOf(webhook.reinvocationPolicy, reinvocationPolicies, `${path}.reinvocationPolicy`))
  }
  errors.push(...validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`))
  if (leniency.sameConditions) return errors
  return [...errors, ...validateMatchConditions(webhook.matchConditions, false, `${path}.matchConditions`)]
}

function validateName(name: string, path: string): readonly FieldError[] {
  if (name === '') return [required(path)]
  const complaints = dnsSubdomain(name)
  if (complaints.length > 0) return [invalid(path, name, complaints.join(', '))]
  return name.split('.').length < 3
    ? [invalid(path, name, 'should be a domain with at least three segments separated by dots')]
    : []
}

function validateVersions(versions: readonly string[], leniency: Leniency, path: string): readonly FieldError[] {
  if (versions.length === 0) return [required(path, `must specify one of ${reviewVersions.join(', ')}`)]
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) errors.push(invalid(`${path}[${index}]`, version, 'duplicate version'))
    else errors.push(...complain(`${path}[${index}]`, version, dnsLabel1035(version)))
    seen.add(version)
  }
  if (!leniency.unknownVersions && !versions.some((version) => reviewVersions.includes(version))) {
    errors.push(invalid(path, versions, `must include at least one of ${reviewVersions.join(', ')}`))
  }
  return errors
}

function validateClientConfig(config: WebhookClientConfig, path: string): readonly FieldError[] {
  if ((config.url === undefined) === (config.service === undefined)) {
    return [required(path, 'exactly one of url or service is required')]
  }
  return config.url === undefined
    ? webhookServiceErrors(config.service!, `${path}.service`)
    : webhookUrlErrors(config.url, `${path}.url`)
}

const columns = [nameColumn, column('Webhooks', 'How many webhooks it lists.', 'integer'), ageColumn]

export const validatingWebhookConfigurationRules: KindRules<ValidatingWebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  generationFields: ['webhooks'],
  default: ({ webhooks }) => webhooks?.forEach(defaultWebhook),
  validateCreate: (object) => validate(object, strict),
  validateUpdate: (next, old) => validate(next, leniencyOf(next, old)),
  columns,
  cells: ({ metadata, webhooks }, nowMs) => [
    metadata.name,
    (webhooks ?? []).length,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}

export const mutatingWebhookConfigurationRules: KindRules<MutatingWebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  generationFields: ['webhooks'],
  default({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook)
      webhook.reinvocationPolicy ??= 'Never'
    }
  },
  validateCreate: (object) => validate(object, strict),
  validateUpdate: (next, old) => validate(next, leniencyOf(next, old)),
  columns,
  cells: ({ metadata, webhooks }, nowMs) => [
    metadata.name,
    (webhooks ?? []).length,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
