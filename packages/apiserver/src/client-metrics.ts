// What this server asks of others and of itself, under the names of upstream's REST client.

import type { Clock } from '@aksel/base/clock'
import type { ApiRequest, Transport } from '@aksel/client/transport'
import { labelText, type Counter, type Histogram, type MetricsRegistry } from './metrics.ts'

const secondsBounds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60] as const
const bytesBounds = [64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216] as const

export interface ClientCall {
  readonly method: string
  /** `name.namespace.svc:443`, or the host of a URL. */
  readonly host: string
  readonly requestBytes: number
}

export class ClientMetrics {
  readonly #clock: Clock
  readonly #totals: Counter
  readonly #durations: Histogram
  readonly #requestBytes: Histogram
  readonly #responseBytes: Histogram

  constructor(clock: Clock, registry: MetricsRegistry) {
    this.#clock = clock
    this.#totals = registry.counter(
      'rest_client_requests_total',
      'Number of HTTP requests, partitioned by status code, method, and host.',
    )
    this.#durations = registry.histogram(
      'rest_client_request_duration_seconds',
      'Request latency in seconds. Broken down by verb, and host.',
      secondsBounds,
    )
    this.#requestBytes = registry.histogram(
      'rest_client_request_size_bytes',
      'Request size in bytes. Broken down by verb and host.',
      bytesBounds,
    )
    this.#responseBytes = registry.histogram(
      'rest_client_response_size_bytes',
      'Response size in bytes. Broken down by verb and host.',
      bytesBounds,
    )
  }

  /** Call what comes back with the status, or with nothing where no answer came. */
  begin({ method, host, requestBytes }: ClientCall): (status?: number, responseBytes?: number) => void {
    const startMs = this.#clock.monotonicMs()
    const labels = labelText({ host, verb: method })
    this.#requestBytes.observe(labels, requestBytes)
    return (status, responseBytes) => {
      this.#durations.observe(labels, (this.#clock.monotonicMs() - startMs) / 1000)
      this.#totals.add(labelText({ code: status === undefined ? '<error>' : String(status), host, method }))
      if (responseBytes !== undefined) this.#responseBytes.observe(labels, responseBytes)
    }
  }
}

/** The transport, counted. */
export function measured(transport: Transport, metrics: ClientMetrics, host: string): Transport {
  return {
    async send(request: ApiRequest) {
      const done = metrics.begin({ method: request.method, host, requestBytes: request.body?.length ?? 0 })
      try {
        const response = await transport.send(request)
        done(response.status)
        return response
      } catch (error) {
        done()
        throw error
      }
    },
  }
}
