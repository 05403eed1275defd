// APIService: who answers for a group version, this server or another one behind a Service.

import { draftOf, type Draft } from '@aksel/base/draft'
import { formatTime } from '@aksel/base/clock'
import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { APIService, APIServiceCondition } from '../types/apiregistration-v1.ts'
import { dnsLabel1035, dnsSubdomain, pathSegmentName, portNumber } from '../validation/names.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

/** `v1.apps`; `v1.` for the core group. */
export function apiServiceName(group: string, version: string): string {
  return `${version}.${group}`
}

export function localCondition(nowMs: number): APIServiceCondition {
  return {
    type: 'Available',
    status: 'True',
    lastTransitionTime: formatTime(nowMs),
    reason: 'Local',
    message: 'Local APIServices are always available',
  }
}

export function availableCondition({ status }: APIService): APIServiceCondition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Available')
}

function validate({ metadata, spec }: APIService): readonly FieldError[] {
  const { group = '', version = '', service, caBundle = '', insecureSkipTLSVerify = false } = spec
  const errors: FieldError[] = []
  const name = apiServiceName(group, version)
  if (metadata.name !== name)
    errors.push(
      invalid('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`),
    )
  if (group === '' && version !== 'v1')
    errors.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'))
  if (group !== '') for (const words of dnsSubdomain(group)) errors.push(invalid('spec.group', group, words))
  for (const words of dnsLabel1035(version)) errors.push(invalid('spec.version', version, words))
  const { groupPriorityMinimum, versionPriority } = spec
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000)
    errors.push(invalid('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'))
  if (versionPriority <= 0 || versionPriority > 1000)
    errors.push(invalid('spec.versionPriority', versionPriority, 'must be positive and less than 1000'))
  if (service === undefined) {
    if (caBundle !== '')
      errors.push(
        invalid('spec.caBundle', `${atob(caBundle).length} bytes`, 'local APIServices may not have a caBundle'),
      )
    if (insecureSkipTLSVerify)
      errors.push(invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'))
    return errors
  }
  if ((service.namespace ?? '') === '') errors.push(required('spec.service.namespace'))
  if ((service.name ?? '') === '') errors.push(required('spec.service.name'))
  const port = portNumber(service.port ?? 443)
  if (port.length > 0) errors.push(invalid('spec.service.port', service.port, `port is not valid: ${port.join(', ')}`))
  if (insecureSkipTLSVerify && caBundle !== '')
    errors.push(invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'))
  return errors
}

export const apiServiceRules: KindRules<APIService> = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  storagePrefix: 'apiregistration.k8s.io/apiservices',
  allowUnconditionalUpdate: false,
  nameRule: pathSegmentName,
  default({ spec }) {
    if (spec.service !== undefined) spec.service.port ??= 443
  },
  prepareForCreate(service, { nowMs }) {
    if (service.spec.service === undefined)
      service.status = { conditions: [localCondition(nowMs) as Draft<APIServiceCondition>] }
  },
  validateCreate: validate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as typeof next.spec
        for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
          const before = old.metadata[field]
          if (before === undefined) delete next.metadata[field]
          else Object.assign(next.metadata, { [field]: draftOf(before) })
        }
      },
      validateUpdate: ({ status }) =>
        (status?.conditions ?? []).flatMap((condition, index) =>
          ['True', 'False', 'Unknown'].includes(condition.status)
            ? []
            : [notSupported(`status.conditions[${index}].status`, condition.status, ['False', 'True', 'Unknown'])],
        ),
    },
  },
  columns: [
    nameColumn,
    column('Service', 'The service that answers for this group version; Local for this server.'),
    column('Available', 'Whether it answers.'),
    ageColumn,
  ],
  cells(service, nowMs) {
    const { namespace = '', name = '' } = service.spec.service ?? {}
    const condition = availableCondition(service)
    const available =
      condition === undefined
        ? 'Unknown'
        : condition.status === 'True'
          ? 'True'
          : `${condition.status} (${condition.reason ?? ''})`
    return [
      service.metadata.name,
      service.spec.service === undefined ? 'Local' : `${namespace}/${name}`,
      available,
      ageOf(service.metadata.creationTimestamp, nowMs),
    ]
  },
}
