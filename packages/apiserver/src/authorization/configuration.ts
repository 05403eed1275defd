// Reads and judges an AuthorizationConfiguration, with upstream's words.

import {
  authorizerTypes,
  type AuthorizationConfiguration,
  type AuthorizerConfiguration,
  type WebhookAuthorizerConfiguration,
} from '@aksel/api/authorization-configuration'
import { duplicate, invalid, notSupported, required, type FieldError } from '@aksel/api/field-errors'
import { durationMs, readConfiguration, type ConfigurationKind } from '../configuration-file.ts'
import { reviewProgram } from './match-conditions.ts'

const configurationKind: ConfigurationKind = {
  kind: 'AuthorizationConfiguration',
  apiVersions: ['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1'],
  fields: {
    authorizers: [
      {
        type: 'string',
        name: 'string',
        webhook: {
          authorizedTTL: 'string',
          cacheAuthorizedRequests: 'boolean',
          unauthorizedTTL: 'string',
          cacheUnauthorizedRequests: 'boolean',
          timeout: 'string',
          subjectAccessReviewVersion: 'string',
          matchConditionSubjectAccessReviewVersion: 'string',
          failurePolicy: 'string',
          connectionInfo: { type: 'string', kubeConfigFile: 'string' },
          matchConditions: [{ expression: 'string' }],
        },
      },
    ],
  },
}

/** Of the file that upstream's `--authorization-config` names. Throws an Error in words for its writer. */
export async function readAuthorizationConfiguration(text: string): Promise<AuthorizationConfiguration> {
  const { authorizers = [] } = (await readConfiguration(text, configurationKind)) as Partial<AuthorizationConfiguration>
  const faults = configurationFaults(authorizers)
  if (faults.length > 0) throw new Error(faults.map(({ field, message }) => `${field}: ${message}`).join(', '))
  return { authorizers }
}

function configurationFaults(authorizers: readonly AuthorizerConfiguration[]): readonly FieldError[] {
  if (authorizers.length === 0) return [required('authorizers', 'at least one authorization mode must be defined')]
  const names = new Set<string>()
  const types = new Set<string>()
  return authorizers.flatMap((one, at) => {
    const path = `authorizers[${at}]`
    const isAgain = types.has(one.type) && one.type !== 'Webhook'
    types.add(one.type)
    const faults = [
      ...typeFaults(one, path),
      ...(isAgain ? [duplicate(`${path}.type`, one.type)] : []),
      ...nameFaults(one.name ?? '', names, `${path}.name`),
      ...webhookFaults(one, `${path}.webhook`),
    ]
    names.add(one.name)
    return faults
  })
}

function typeFaults({ type }: AuthorizerConfiguration, path: string): readonly FieldError[] {
  if (type === undefined) return [required(`${path}.type`)]
  return authorizerTypes.includes(type) ? [] : [notSupported(`${path}.type`, type, [...authorizerTypes])]
}

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function nameFaults(name: string, taken: ReadonlySet<string>, path: string): readonly FieldError[] {
  if (name === '') return [required(path)]
  if (taken.has(name)) return [duplicate(path, name)]
  return subdomain.test(name) && name.length <= 253
    ? []
    : [invalid(path, name, 'authorizer name is invalid: a lowercase RFC 1123 subdomain is expected')]
}

function webhookFaults({ type, webhook }: AuthorizerConfiguration, path: string): readonly FieldError[] {
  if (type !== 'Webhook')
    return webhook === undefined ? [] : [invalid(path, 'non-null', 'may only be specified when type=Webhook')]
  if (webhook === undefined) return [required(path, 'required when type=Webhook')]
  return [
    ...timeoutFaults(webhook, path),
    ...ttlFaults(webhook.authorizedTTL, `${path}.authorizedTTL`),
    ...ttlFaults(webhook.unauthorizedTTL, `${path}.unauthorizedTTL`),
    ...oneOf(webhook.subjectAccessReviewVersion, `${path}.subjectAccessReviewVersion`, ['v1', 'v1beta1']),
    ...oneOf(webhook.failurePolicy, `${path}.failurePolicy`, ['NoOpinion', 'Deny']),
    ...connectionFaults(webhook.connectionInfo ?? {}, `${path}.connectionInfo`),
    ...conditionFaults(webhook, path),
  ]
}

const TIMEOUT_MAX_MS = 30_000

function timeoutFaults({ timeout }: WebhookAuthorizerConfiguration, path: string): readonly FieldError[] {
  if (timeout === undefined) return [required(`${path}.timeout`)]
  const ms = durationMs(timeout)
  if (ms === undefined || ms === 0) return [invalid(`${path}.timeout`, timeout, 'must be > 0s')]
  return ms > TIMEOUT_MAX_MS ? [invalid(`${path}.timeout`, timeout, 'must be <= 30s')] : []
}

function ttlFaults(ttl: string | undefined, path: string): readonly FieldError[] {
  const ms = ttl === undefined ? 1 : durationMs(ttl)
  return ms === undefined || ms === 0 ? [invalid(path, ttl, 'must be > 0s')] : []
}

function oneOf(value: string | undefined, path: string, known: readonly string[]): readonly FieldError[] {
  if (value === undefined) return [required(path)]
  return known.includes(value) ? [] : [notSupported(path, value, known)]
}

function connectionFaults(
  { type, kubeConfigFile }: Partial<WebhookAuthorizerConfiguration['connectionInfo']>,
  path: string,
): readonly FieldError[] {
  const faults = oneOf(type, `${path}.type`, ['InClusterConfig', 'KubeConfigFile'])
  if (faults.length > 0) return faults
  if (type === 'InClusterConfig')
    return [invalid(`${path}.type`, type, 'this server runs in no cluster: only KubeConfigFile leads anywhere')]
  if (kubeConfigFile === undefined || kubeConfigFile === '') return [required(`${path}.kubeConfigFile`)]
  return kubeConfigFile.startsWith('/')
    ? []
    : [invalid(`${path}.kubeConfigFile`, kubeConfigFile, 'must be an absolute path')]
}

function conditionFaults(webhook: WebhookAuthorizerConfiguration, path: string): readonly FieldError[] {
  const { matchConditions = [], matchConditionSubjectAccessReviewVersion: version } = webhook
  const faults: FieldError[] = []
  if (matchConditions.length > 0 && version === undefined)
    faults.push(
      required(`${path}.matchConditionSubjectAccessReviewVersion`, 'required if match conditions are specified'),
    )
  else if (version !== undefined)
    faults.push(...oneOf(version, `${path}.matchConditionSubjectAccessReviewVersion`, ['v1']))
  const seen = new Set<string>()
  for (const [at, { expression = '' }] of matchConditions.entries()) {
    const here = `${path}.matchConditions[${at}].expression`
    if (expression.trim() === '') faults.push(required(here))
    else if (seen.has(expression)) faults.push(duplicate(here, expression))
    else {
      const complaint = complaintOf(expression)
      if (complaint !== undefined) faults.push(invalid(here, expression, complaint))
    }
    seen.add(expression)
  }
  return faults
}

function complaintOf(expression: string): string | undefined {
  try {
    reviewProgram(expression)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
