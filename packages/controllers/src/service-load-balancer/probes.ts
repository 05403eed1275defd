// How the backends of a service's ports are asked for health. The rules, defaults and refusals are the cloud provider's.

import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import { annotations, isTrue, portAnnotation, textOf, wholeNumber } from './annotations.ts'
import type { HealthProbe } from './load-balancers.ts'

const INTERVAL_DEFAULT = 5
const INTERVAL_MIN = 5
const COUNT_DEFAULT = 2
const COUNT_MIN = 2
/** Interval times count, in seconds, must stay below. */
const TOTAL_END = 120
/** Where a node's proxy tells how many endpoints of a service it has (kube-proxy's). */
const HEALTH_PATH = '/healthz'
/** Where a node's proxy tells of its own health (kube-proxy's). */
export const PROXY_HEALTH_PORT = 10_256

/** Throws an Error in the cloud provider's words for a value that cannot be. */
export function probeOf(service: Service, port: ServicePort): HealthProbe | undefined {
  if (isTrue(service, portAnnotation(port.port, 'no_probe_rule'))) return undefined
  const { spec } = service
  const isLocal = spec.externalTrafficPolicy === 'Local' && (spec.healthCheckNodePort ?? 0) > 0
  const asked = askedPort(service, port)
  if (isLocal && asked === undefined) {
    const timing = timingOf(service, port.port)
    return { protocol: 'Http', port: spec.healthCheckNodePort!, path: HEALTH_PATH, ...timing }
  }
  if ((port.protocol ?? 'TCP') !== 'TCP') return undefined
  const timing = timingOf(service, port.port)
  const number = asked ?? port.nodePort ?? 0
  // Without a node port there is nothing of the service to ask at a node but its proxy.
  if (number === 0) return { protocol: 'Http', port: PROXY_HEALTH_PORT, path: HEALTH_PATH, ...timing }
  const protocol = protocolOf(service, port)
  if (protocol === 'Tcp') return { protocol, port: number, ...timing }
  const own = textOf(service, portAnnotation(port.port, 'health-probe_request-path'))
  return { protocol, port: number, path: own ?? textOf(service, annotations.probePath) ?? '/', ...timing }
}

/** A number or a name of one of the service's ports means its node port; another number means itself. */
function askedPort(service: Service, { port }: ServicePort): number | undefined {
  const name = portAnnotation(port, 'health-probe_port')
  const text = textOf(service, name)
  if (text === undefined || text === '') return undefined
  const ports = service.spec.ports ?? []
  const named = ports.find((other) => other.name?.toLowerCase() === text.toLowerCase())
  if (named !== undefined) return named.nodePort ?? 0
  if (!/^\d+$/.test(text)) throw new Error(`failed to parse annotation ${name}: port ${text} not found in service`)
  const number = Number(text)
  if (number > 65_535) throw new Error(`failed to parse annotation ${name}: port ${number} is out of range`)
  const own = ports.find((other) => other.port === number)
  return own === undefined ? number : (own.nodePort ?? 0)
}

/** What the provider does not know is TCP, as it always was. */
function protocolOf(service: Service, port: ServicePort): HealthProbe['protocol'] {
  const text =
    textOf(service, portAnnotation(port.port, 'health-probe_protocol')) ??
    port.appProtocol ??
    textOf(service, annotations.probeProtocol)
  const known = { http: 'Http', https: 'Https' } as const
  const key = text?.trim().toLowerCase()
  return key === 'http' || key === 'https' ? known[key] : 'Tcp'
}

function timingOf(service: Service, port: number): Pick<HealthProbe, 'intervalSeconds' | 'failures'> {
  const failures =
    atLeast(service, portAnnotation(port, 'health-probe_num-of-probe'), 'num-of-probe', COUNT_MIN) ??
    atLeast(service, annotations.probeCount, 'num-of-probe', COUNT_MIN) ??
    COUNT_DEFAULT
  const intervalSeconds =
    atLeast(service, portAnnotation(port, 'health-probe_interval'), 'interval', INTERVAL_MIN) ??
    atLeast(service, annotations.probeInterval, 'interval', INTERVAL_MIN) ??
    INTERVAL_DEFAULT
  if (intervalSeconds * failures >= TOTAL_END) {
    throw new Error(
      `failed to parse health probe config for port ${port}: total probe should be less than 120, please adjust interval and number of probe accordingly`,
    )
  }
  return { intervalSeconds, failures }
}

function atLeast(service: Service, name: string, what: string, min: number): number | undefined {
  try {
    const value = wholeNumber(service, name)
    if (value !== undefined && value < min) throw new Error(`the minimum value of ${what} is ${min}`)
    return value
  } catch (error) {
    throw new Error(`failed to parse annotation ${name}: ${(error as Error).message}`, { cause: error })
  }
}
