// Ingress and IngressClass: names and paths that lead from outside to services, and who leads them.

import { draftOf } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressRule } from '../types/networking-v1.ts'
import { ipComplaint, isIpAddress } from '../validation/addresses.ts'
import { dnsSubdomain, portName, portNumber, wildcardDnsSubdomain } from '../validation/names.ts'
import { complain, requiredOneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const classAnnotation = 'kubernetes.io/ingress.class'
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const badSequences = ['//', '/./', '/../', '%2f', '%2F']
const badEndings = ['/..', '/.']

function validate({ metadata, spec }: Ingress): readonly FieldError[] {
  const errors: FieldError[] = []
  if ((spec.rules ?? []).length === 0 && spec.defaultBackend === undefined) {
    errors.push(invalid('spec', spec, 'either `defaultBackend` or `rules` must be specified'))
  }
  if (spec.defaultBackend !== undefined) errors.push(...validateBackend(spec.defaultBackend, 'spec.defaultBackend'))
  for (const [index, rule] of (spec.rules ?? []).entries()) errors.push(...validateRule(rule, `spec.rules[${index}]`))
  for (const [index, { hosts = [] }] of (spec.tls ?? []).entries()) {
    for (const [place, host] of hosts.entries())
      errors.push(...validateHost(host, `spec.tls[${index}].hosts[${place}]`))
  }
  if (spec.ingressClassName !== undefined)
    errors.push(...complain('spec.ingressClassName', spec.ingressClassName, dnsSubdomain(spec.ingressClassName)))
  const annotated = metadata.annotations?.[classAnnotation]
  if (annotated !== undefined && spec.ingressClassName !== undefined && annotated !== spec.ingressClassName) {
    errors.push(
      invalid(`annotations.${classAnnotation}`, annotated, 'must match `ingressClassName` when both are specified'),
    )
  }
  return errors
}

function validateHost(host: string, path: string): readonly FieldError[] {
  return complain(path, host, host.includes('*') ? wildcardDnsSubdomain(host) : dnsSubdomain(host))
}

function validateRule({ host = '', http }: IngressRule, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (isIpAddress(host)) errors.push(invalid(`${path}.host`, host, 'must be a DNS name, not an IP address'))
  else if (host !== '') errors.push(...validateHost(host, `${path}.host`))
  if (http === undefined) return errors
  if (http.paths.length === 0) errors.push(required(`${path}.http.paths`))
  return [...errors, ...http.paths.flatMap((one, index) => validatePath(one, `${path}.http.paths[${index}]`))]
}

function validatePath(one: HTTPIngressPath, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const text = one.path ?? ''
  if (one.pathType === undefined || one.pathType === '')
    return [required(`${path}.pathType`, 'pathType must be specified')]
  if (one.pathType === 'Exact' || one.pathType === 'Prefix') {
    if (!text.startsWith('/')) errors.push(invalid(`${path}.path`, text, 'must be an absolute path'))
    for (const bad of badSequences)
      if (text.includes(bad)) errors.push(invalid(`${path}.path`, text, `must not contain '${bad}'`))
    for (const bad of badEndings)
      if (text.endsWith(bad)) errors.push(invalid(`${path}.path`, text, `cannot end with '${bad}'`))
  } else if (one.pathType === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) errors.push(invalid(`${path}.path`, text, 'must be an absolute path'))
  } else errors.push(...requiredOneOf(one.pathType, pathTypes, `${path}.pathType`))
  return [...errors, ...validateBackend(one.backend, `${path}.backend`)]
}

function validateBackend({ service, resource }: IngressBackend, path: string): readonly FieldError[] {
  if (service !== undefined && resource !== undefined)
    return [invalid(path, '', 'cannot set both resource and service backends')]
  if (service === undefined && resource === undefined)
    return [required(path, 'resource or service backend is required')]
  if (service === undefined) return []
  const errors: FieldError[] =
    service.name === ''
      ? [required(`${path}.service.name`)]
      : [...complain(`${path}.service.name`, service.name, dnsSubdomain(service.name))]
  const { name = '', number = 0 } = service.port ?? {}
  if (name !== '' && number !== 0) errors.push(invalid(path, '', 'cannot set both port name & port number'))
  else if (name !== '') errors.push(...complain(`${path}.service.port.name`, name, portName(name)))
  else if (number !== 0) errors.push(...complain(`${path}.service.port.number`, number, portNumber(number)))
  else errors.push(required(path, 'port name or number is required'))
  return errors
}

function validateStatus({ status }: Ingress): readonly FieldError[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const at = `status.loadBalancer.ingress[${index}]`
    const errors: FieldError[] = []
    if (ip !== undefined && !isIpAddress(ip)) errors.push(invalid(`${at}.ip`, ip, ipComplaint))
    if (hostname === undefined) return errors
    errors.push(...complain(`${at}.hostname`, hostname, dnsSubdomain(hostname)))
    if (isIpAddress(hostname)) errors.push(invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    return errors
  })
}

function hostsText(rules: readonly IngressRule[] | undefined): string {
  const hosts = (rules ?? []).map(({ host = '' }) => (host === '' ? '*' : host))
  if (hosts.length === 0) return '*'
  return hosts.length > 3 ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...` : hosts.join(',')
}

export const ingressRules: KindRules<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  storagePrefix: 'ingress',
  generationFields: ['spec'],
  validateCreate(ingress) {
    const annotated = ingress.metadata.annotations?.[classAnnotation]
    const both = annotated !== undefined && ingress.spec?.ingressClassName !== undefined
    return both && annotated === ingress.spec?.ingressClassName
      ? [
          ...validate(ingress),
          invalid(`annotations.${classAnnotation}`, annotated, 'can not be set when the class field is also set'),
        ]
      : validate(ingress)
  },
  validateUpdate: (next) => validate(next),
  warnings: ({ metadata, spec }, old) =>
    old === undefined && metadata.annotations?.[classAnnotation] !== undefined && spec?.ingressClassName === undefined
      ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        if (old.spec === undefined) delete (next as { spec?: unknown }).spec
        else next.spec = draftOf(old.spec) as NonNullable<typeof next.spec>
      },
      validateUpdate: validateStatus,
    },
  },
  columns: [
    nameColumn,
    column('Class', 'Who serves it.'),
    column('Hosts', 'Names that it answers to.'),
    column('Address', 'Where it can be reached.'),
    column('Ports', 'Ports that it listens on.'),
    ageColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec?.ingressClassName ?? metadata.annotations?.[classAnnotation] ?? '<none>',
    hostsText(spec?.rules),
    (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').join(','),
    (spec?.tls ?? []).length > 0 ? '80, 443' : '80',
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}

function validateClass({ spec }: IngressClass): readonly FieldError[] {
  const controller = spec.controller ?? ''
  const errors: FieldError[] = []
  if (controller.length > 250)
    errors.push({
      reason: 'FieldValueTooLong',
      field: 'spec.controller',
      message: 'Too long: may not be more than 250 bytes',
    })
  if (controller === '') errors.push(required('spec.controller'))
  else if (!controller.includes('/'))
    errors.push(invalid('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  const parameters = spec.parameters
  if (parameters === undefined) return errors
  if (parameters.kind === '') errors.push(required('spec.parameters.kind', 'kind is required'))
  if (parameters.name === '') errors.push(required('spec.parameters.name', 'name is required'))
  errors.push(...requiredOneOf(parameters.scope, ['Cluster', 'Namespace'], 'spec.parameters.scope'))
  if (parameters.scope === 'Namespace' && parameters.namespace === undefined)
    errors.push(required('spec.parameters.namespace', "`parameters.scope` is set to 'Namespace'"))
  if (parameters.scope === 'Cluster' && parameters.namespace !== undefined)
    errors.push(forbidden('spec.parameters.namespace', "`parameters.scope` is set to 'Cluster'"))
  return errors
}

export const ingressClassRules: KindRules<IngressClass> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  generationFields: ['spec'],
  default(ingressClass) {
    if (ingressClass.spec?.parameters !== undefined) ingressClass.spec.parameters.scope ??= 'Cluster'
  },
  validateCreate: validateClass,
  validateUpdate: (next, old) => [
    ...(deepEqual(next.spec, old.spec) ? [] : validateClass(next)),
    ...unchanged(next.spec?.controller, old.spec?.controller, 'spec.controller'),
  ],
  columns: [
    nameColumn,
    column('Controller', 'Who serves ingresses of this class.'),
    column('Parameters', 'Where its settings are.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => {
    const { apiGroup, kind, name } = spec?.parameters ?? {}
    const parameters = kind === undefined ? '<none>' : `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`
    return [metadata.name, spec?.controller ?? '', parameters, ageOf(metadata.creationTimestamp, nowMs)]
  },
}
