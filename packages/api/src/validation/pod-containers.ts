// The rules on containers: those that run the pod, those that prepare it, and those that join it to look around.

import {
  duplicate,
  faultsOfEach,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
  tooLong,
  type FieldError,
} from '../field-errors.ts'
import type {
  Container,
  ContainerResizePolicy,
  ContainerRestartRule,
  EphemeralContainer,
  PodSpec,
} from '../types/core-v1.ts'
import { dnsLabel } from './names.ts'
import { validateEnv, validateEnvFrom } from './pod-env.ts'
import { validateContainerPorts, validateProbes } from './pod-probes.ts'
import { validateContainerSecurity } from './pod-security.ts'
import { validateMounts } from './volume-mounts.ts'
import { validateResources } from './resources.ts'
import { complain, requiredWithin } from './values.ts'

/** Spaces around an image's name are refused in pods; templates have always let them pass. */
export function validateContainers(spec: PodSpec, path: string, isPod: boolean): readonly FieldError[] {
  return [
    ...validateRegular(spec, `${path}.containers`),
    ...validateInit(spec, `${path}.initContainers`),
    ...validateEphemeral(spec, `${path}.ephemeralContainers`),
    ...(isPod ? validateImages(spec, path) : []),
  ]
}

function validateRegular(spec: PodSpec, path: string): readonly FieldError[] {
  const containers = spec.containers ?? []
  if (containers.length === 0) return [required(path)]
  const names = new Set<string>()
  const errors = faultsOfEach(containers, (container, index) => {
    const at = `${path}[${index}]`
    const found: FieldError[] = [...validateCommon(container, spec, at)]
    if (names.has(container.name)) found.push(duplicate(`${at}.name`, container.name))
    names.add(container.name)
    found.push(...validateProbes(container, at, spec), ...validateRestart(container, at))
    return found
  })
  return [...errors, ...validateHostPorts(containers, path)]
}

function validateInit(spec: PodSpec, path: string): readonly FieldError[] {
  const names = new Set((spec.containers ?? []).map(({ name }) => name))
  return faultsOfEach(spec.initContainers ?? [], (container, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = [...validateCommon(container, spec, at), ...validateRestart(container, at)]
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name))
    else if (container.name !== '') names.add(container.name)
    // Init containers run one by one: only within each may ports collide.
    errors.push(...validateHostPorts([container], path))
    if (container.restartPolicy === 'Always') return [...errors, ...validateProbes(container, at, spec)]
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] !== undefined)
        errors.push(forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
    }
    return errors
  })
}

/** In the order of the fields in Go. */
const notEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const

function validateEphemeral(spec: PodSpec, path: string): readonly FieldError[] {
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const names = new Set(others)
  const cannot = 'cannot be set for an Ephemeral Container'
  return faultsOfEach(spec.ephemeralContainers ?? [], (container, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = [...validateCommon(container, spec, at), ...validateImage(container, at)]
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name))
    names.add(container.name)
    const target = container.targetContainerName ?? ''
    if (target !== '' && !others.has(target)) errors.push(notFound(`${at}.targetContainerName`, target))
    for (const field of notEphemeral) {
      const value = container[field]
      const isSet = value !== undefined && (typeof value !== 'object' || Object.keys(value).length > 0)
      if (isSet) errors.push(forbidden(`${at}.${field}`, cannot))
    }
    for (const [place, { subPath = '', subPathExpr = '' }] of (container.volumeMounts ?? []).entries()) {
      if (subPath !== '') errors.push(forbidden(`${at}.volumeMounts[${place}].subPath`, cannot))
      if (subPathExpr !== '') errors.push(forbidden(`${at}.volumeMounts[${place}].subPathExpr`, cannot))
    }
    return errors
  })
}

function validateCommon(container: Container | EphemeralContainer, spec: PodSpec, path: string): readonly FieldError[] {
  const { name, image = '' } = container
  const errors: FieldError[] =
    name === '' ? [required(`${path}.name`)] : [...complain(`${path}.name`, name, dnsLabel(name))]
  if (image === '') errors.push(required(`${path}.image`))
  const messagePolicies = ['File', 'FallbackToLogsOnError']
  const claims = (spec.resourceClaims ?? []).map((claim) => claim.name).filter((claim) => claim !== '')
  return [
    ...errors,
    ...requiredWithin(container.terminationMessagePolicy, messagePolicies, `${path}.terminationMessagePolicy`),
    ...validateContainerPorts(container.ports ?? [], `${path}.ports`),
    ...validateEnv(container.env ?? [], `${path}.env`),
    ...validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`),
    ...validateMounts(container, spec.volumes ?? [], path),
    ...requiredWithin(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`),
    ...validateResources(container.resources, `${path}.resources`, claims),
    ...validateResizePolicy(container.resizePolicy ?? [], `${path}.resizePolicy`, spec.restartPolicy),
    ...validateContainerSecurity(container, path, spec.hostUsers),
  ]
}

function validateImages(spec: PodSpec, path: string): readonly FieldError[] {
  return (['containers', 'initContainers'] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap((container, index) => validateImage(container, `${path}.${field}[${index}]`)),
  )
}

export function validateImage({ image = '' }: { readonly image?: string }, path: string): readonly FieldError[] {
  return image === image.trim() ? [] : [invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')]
}

const resizable = ['cpu', 'memory']
const resizePolicies = ['NotRequired', 'RestartContainer']

function validateResizePolicy(
  policies: readonly ContainerResizePolicy[],
  path: string,
  podPolicy: string | undefined,
): readonly FieldError[] {
  const seen = new Set<string>()
  return policies.flatMap(({ resourceName, restartPolicy }, index) => {
    const errors: FieldError[] = seen.has(resourceName) ? [duplicate(`${path}[${index}]`, resourceName)] : []
    seen.add(resourceName)
    errors.push(
      ...requiredWithin(resourceName, resizable, path),
      ...requiredWithin(restartPolicy, resizePolicies, path),
    )
    if (podPolicy === 'Never' && restartPolicy !== 'NotRequired')
      errors.push(invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return errors
  })
}

const containerPolicies = ['Always', 'Never', 'OnFailure']
const restartRulesMax = 20
const exitCodesMax = 255

/** A container may have its own word on restarting, and exceptions by exit code. */
function validateRestart(container: Container, path: string): readonly FieldError[] {
  const { restartPolicy: policy, restartPolicyRules: rules = [] } = container
  const errors: FieldError[] = []
  if (policy !== undefined && !containerPolicies.includes(policy))
    errors.push(notSupported(`${path}.restartPolicy`, policy, containerPolicies))
  if (rules.length === 0) return errors
  if (policy === undefined)
    errors.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'))
  if (rules.length > restartRulesMax) errors.push(tooLong(`${path}.restartPolicyRules`, restartRulesMax))
  return [...errors, ...rules.flatMap((rule, index) => validateRule(rule, `${path}.restartPolicyRules[${index}]`))]
}

/** Its action is judged with the gates: released-pods.ts. */
function validateRule({ exitCodes }: ContainerRestartRule, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (exitCodes === undefined) return [required(`${path}.exitCodes`, 'must be specified')]
  const { operator, values = [] } = exitCodes
  if (operator !== 'In' && operator !== 'NotIn')
    errors.push(notSupported(`${path}.exitCodes.operator`, operator, ['In', 'NotIn']))
  if (values.length > exitCodesMax) errors.push(tooLong(`${path}.exitCodes.values`, exitCodesMax))
  return errors
}

function validateHostPorts(containers: readonly Container[], path: string): readonly FieldError[] {
  const taken = new Set<string>()
  return containers.flatMap((container, at) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, protocol = 'TCP', hostIP = '' }, index) => {
      if (hostPort === 0) return []
      const text = `${protocol}/${hostIP}/${hostPort}`
      const errors = taken.has(text) ? [duplicate(`${path}[${at}].ports[${index}].hostPort`, text)] : []
      taken.add(text)
      return errors
    }),
  )
}
