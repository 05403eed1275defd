// Rules on probes and lifecycle hooks.

import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { Container, ContainerPort, HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from '../types/core-v1.ts'
import { httpHeaderName, portName, portNumber } from './names.ts'
import { complain, nonNegative, requiredOneOf } from './values.ts'

type Handlers = Pick<Probe & LifecycleHandler, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep'>

/** All probes of a container. `graceSeconds` bounds a sleeping hook. */
export function validateProbes(container: Container, path: string, graceSeconds: number): readonly FieldError[] {
  const errors: FieldError[] = [...validateLifecycle(container.lifecycle, `${path}.lifecycle`, graceSeconds)]
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name]
    if (probe !== undefined) errors.push(...validateProbe(probe, `${path}.${name}`, name))
  }
  return errors
}

function validateProbe(probe: Probe, path: string, name: string): readonly FieldError[] {
  const errors: FieldError[] = [...validateHandler(probe, path)]
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    errors.push(...nonNegative(probe[field], `${path}.${field}`))
  }
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0)
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  if (name === 'readinessProbe') {
    if (grace !== undefined)
      errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'))
  } else if (probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1'))
  }
  return errors
}

function validateHandler(handlers: Handlers, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter(
    (name) => handlers[name] !== undefined,
  )
  for (const name of given.slice(1))
    errors.push(forbidden(`${path}.${name}`, 'may not specify more than 1 handler type'))
  if (given.length === 0) errors.push(required(path, 'must specify a handler type'))
  if (handlers.exec !== undefined && (handlers.exec.command ?? []).length === 0)
    errors.push(required(`${path}.exec.command`))
  if (handlers.httpGet !== undefined) errors.push(...validateHttpGet(handlers.httpGet, `${path}.httpGet`))
  if (handlers.tcpSocket !== undefined) errors.push(...validatePort(handlers.tcpSocket.port, `${path}.tcpSocket.port`))
  if (handlers.grpc !== undefined) errors.push(...validatePort(handlers.grpc.port, `${path}.grpc.port`))
  return errors
}

function validateHttpGet(get: HTTPGetAction, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if ((get.path ?? '') === '') errors.push(required(`${path}.path`))
  errors.push(...validatePort(get.port, `${path}.port`))
  errors.push(...requiredOneOf(get.scheme, ['HTTP', 'HTTPS'], `${path}.scheme`))
  for (const { name } of get.httpHeaders ?? [])
    errors.push(...complain(`${path}.httpHeaders`, name, httpHeaderName(name)))
  return errors
}

function validatePort(port: number | string | undefined, path: string): readonly FieldError[] {
  if (port === undefined) return [required(path)]
  return complain(path, port, typeof port === 'number' ? portNumber(port) : portName(port))
}

function validateLifecycle(
  lifecycle: Lifecycle | undefined,
  path: string,
  graceSeconds: number,
): readonly FieldError[] {
  return (['postStart', 'preStop'] as const).flatMap((name) => {
    const handler = lifecycle?.[name]
    if (handler === undefined) return []
    const seconds = handler.sleep?.seconds
    const tooLong = seconds !== undefined && (seconds < 0 || seconds > graceSeconds)
    const words = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds}). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.`
    return [
      ...validateHandler(handler, `${path}.${name}`),
      ...(tooLong ? [invalid(`${path}.${name}.sleep`, seconds, words)] : []),
    ]
  })
}

/** Ports of one container; names are unique in it. */
export function validateContainerPorts(
  ports: readonly ContainerPort[],
  path: string,
  isHostNetwork: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `${path}[${index}]`
    const name = port.name ?? ''
    if (name !== '') {
      const wrong = portName(name)
      errors.push(...complain(`${at}.name`, name, wrong))
      if (wrong.length === 0 && names.has(name))
        errors.push({
          reason: 'FieldValueDuplicate',
          field: `${at}.name`,
          message: `Duplicate value: ${JSON.stringify(name)}`,
        })
      names.add(name)
    }
    if (port.containerPort === 0) errors.push(required(`${at}.containerPort`))
    else errors.push(...complain(`${at}.containerPort`, port.containerPort, portNumber(port.containerPort)))
    const hostPort = port.hostPort ?? 0
    if (hostPort !== 0) errors.push(...complain(`${at}.hostPort`, hostPort, portNumber(hostPort)))
    if (isHostNetwork && hostPort !== 0 && hostPort !== port.containerPort) {
      errors.push(invalid(`${at}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true'))
    }
    errors.push(...requiredOneOf(port.protocol, ['SCTP', 'TCP', 'UDP'], `${at}.protocol`))
  }
  return errors
}
