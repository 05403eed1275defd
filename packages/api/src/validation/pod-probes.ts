// Rules on probes and lifecycle hooks.

import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type {
  Container,
  ContainerPort,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  PodSpec,
  Probe,
} from '../types/core-v1.ts'
import { httpHeaderName, portName, portNumber } from './names.ts'
import { complain, nonNegative, oneOf, requiredOneOf } from './values.ts'

type Handlers = Pick<Probe & LifecycleHandler, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep'>

/** The hooks and all probes of a container. */
export function validateProbes(container: Container, path: string, spec: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = [...validateLifecycle(container.lifecycle, `${path}.lifecycle`, spec)]
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

/** Only the first of several is looked at more closely. `graceSeconds` bounds a sleeping hook. */
function validateHandler(handlers: Handlers, path: string, graceSeconds = 30): readonly FieldError[] {
  const kinds = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const
  const [first, ...others] = kinds.filter((name) => handlers[name] !== undefined)
  if (first === undefined) return [required(path, 'must specify a handler type')]
  const { exec, httpGet, tcpSocket, grpc, sleep } = { [first]: handlers[first] } as Handlers
  const errors: FieldError[] = []
  if (exec !== undefined && (exec.command ?? []).length === 0) errors.push(required(`${path}.exec.command`))
  if (httpGet !== undefined) errors.push(...validateHttpGet(httpGet, `${path}.httpGet`))
  if (tcpSocket !== undefined) errors.push(...validatePort(tcpSocket.port, `${path}.tcpSocket.port`))
  if (grpc !== undefined) errors.push(...validatePort(grpc.port, `${path}.grpc.port`))
  if (sleep !== undefined && (sleep.seconds < 0 || sleep.seconds > graceSeconds)) {
    const words = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`
    errors.push(invalid(`${path}.sleep`, sleep.seconds, words))
  }
  return [...errors, ...others.map((name) => forbidden(`${path}.${name}`, 'may not specify more than 1 handler type'))]
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

const linuxSignals = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM'.split(
    ' ',
  ),
  ...'TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ'.split(' '),
]
  .map((name) => `SIG${name}`)
  .concat(Array.from({ length: 31 }, (_, index) => realTimeSignal(34 + index)))

/** SIGRTMIN, its followers, and SIGRTMAX with those before it. */
function realTimeSignal(number: number): string {
  if (number === 34) return 'SIGRTMIN'
  if (number === 64) return 'SIGRTMAX'
  return number < 50 ? `SIGRTMIN+${number - 34}` : `SIGRTMAX-${64 - number}`
}

function validateLifecycle(lifecycle: Lifecycle | undefined, path: string, spec: PodSpec): readonly FieldError[] {
  const grace = spec.terminationGracePeriodSeconds ?? 30
  const errors = (['postStart', 'preStop'] as const).flatMap((name) => {
    const handler = lifecycle?.[name]
    return handler === undefined ? [] : validateHandler(handler, `${path}.${name}`, grace)
  })
  const signal = lifecycle?.stopSignal
  if (signal === undefined) return errors
  const os = spec.os?.name ?? ''
  const at = `${path}.stopSignal`
  if (os === '') return [...errors, forbidden(at, 'may not be set for containers with empty `spec.os.name`')]
  const supported = os === 'windows' ? ['SIGKILL', 'SIGTERM'] : linuxSignals
  return [...errors, ...oneOf(signal, supported, at)]
}

/** Ports of one container; names are unique in it. */
export function validateContainerPorts(ports: readonly ContainerPort[], path: string): readonly FieldError[] {
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
    errors.push(...requiredOneOf(port.protocol, ['SCTP', 'TCP', 'UDP'], `${at}.protocol`))
  }
  return errors
}
