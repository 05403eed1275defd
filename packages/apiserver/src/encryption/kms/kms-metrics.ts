// What is measured of key management services, under upstream's names. A key is told by the hash of its name, never by the name.

import type { Clock } from '@aksel/base/clock'
import { Histogram, labelText, type Labels, type MetricsRegistry } from '../../metrics.ts'
import { hashOf, KmsError } from './protocol.ts'

/** From a tenth of a millisecond to 52 s. */
const secondsBounds = Array.from({ length: 20 }, (_, power) => 0.0001 * 2 ** power)
/** As many keys are told of: the ones used last. */
const KEYS_MAX = 100

type Direction = 'from_storage' | 'to_storage'
type Sample = readonly [Labels, number]

/** Of one provider, whichever clusters it seals for. */
export class KmsObservations {
  readonly operations = new Histogram(secondsBounds)
  readonly #clock: Clock
  readonly #provider: string
  /** Seconds since 1970, by the hash of the key that the service named last. */
  readonly #namedAt = new Map<string, number>()
  readonly #invalidNames = new Map<string, number>()

  constructor(clock: Clock, provider: string) {
    this.#clock = clock
    this.#provider = provider
  }

  /** Runs a call of the service and measures it. */
  async operation<T>(method: 'Status' | 'Encrypt' | 'Decrypt', call: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs()
    const done = (code: string): void =>
      this.operations.observe(
        labelText({
          grpc_status_code: code,
          method_name: `/v2.KeyManagementService/${method}`,
          provider_name: this.#provider,
        }),
        (this.#clock.monotonicMs() - startMs) / 1000,
      )
    try {
      const answer = await call()
      done('OK')
      return answer
    } catch (error) {
      done(error instanceof KmsError ? codeOf(error) : 'unknown-non-grpc')
      throw error
    }
  }

  /** The service said which key is in use. */
  named(keyId: string): void {
    keepNewest(this.#namedAt, hashOf(keyId), this.#clock.now() / 1000)
  }

  namedBadly(keyId: string): void {
    const why = keyId === '' ? 'empty' : 'too_long'
    this.#invalidNames.set(why, (this.#invalidNames.get(why) ?? 0) + 1)
  }

  namedSamples(server: string): readonly Sample[] {
    return [...this.#namedAt].map(([hash, seconds]) => [
      { apiserver_id_hash: server, key_id_hash: hash, provider_name: this.#provider },
      seconds,
    ])
  }

  invalidSamples(): readonly Sample[] {
    return [...this.#invalidNames].map(([error, count]) => [{ error, provider_name: this.#provider }, count])
  }
}

/** What a server declares of the services that seal for it. */
interface Measured {
  readonly observed: KmsObservations
  readonly name: string
  /** Opened seeds that are kept. */
  readonly seedsKept: number
}

/** The use of keys by one API server, and what its services show. */
export class KmsMetrics {
  readonly #clock: Clock
  readonly #server: string
  readonly #uses = new Map<string, { readonly labels: Labels; count: number; atSeconds: number }>()

  /** `serverId`: the server's name among others of its cluster, told as a hash; '' where it has none. */
  constructor(
    parts: { readonly clock: Clock; readonly metrics: MetricsRegistry; readonly serverId: string },
    providers: () => readonly Measured[],
  ) {
    const { metrics } = parts
    this.#clock = parts.clock
    this.#server = hashOf(parts.serverId)
    const name = (of: string): string => `apiserver_envelope_encryption_${of}`
    metrics.gauge(
      name('key_id_hash_total'),
      'Number of times a keyID is used split by transformation type, provider, and apiserver identity.',
      () => [...this.#uses.values()].map(({ labels, count }) => [labels, count] as const),
      'counter',
    )
    metrics.gauge(name('key_id_hash_last_timestamp_seconds'), 'The last time in seconds when a keyID was used.', () =>
      [...this.#uses.values()].map(({ labels, atSeconds }) => [labels, atSeconds] as const),
    )
    metrics.gauge(
      name('key_id_hash_status_last_timestamp_seconds'),
      'The last time in seconds when a keyID was returned by the Status RPC call.',
      () => providers().flatMap(({ observed }) => observed.namedSamples(this.#server)),
    )
    metrics.gauge(
      name('invalid_key_id_from_status_total'),
      'Number of times an invalid keyID is returned by the Status RPC call split by error.',
      () => providers().flatMap(({ observed }) => observed.invalidSamples()),
      'counter',
    )
    metrics.gauge(
      name('dek_source_cache_size'),
      'Number of records in data encryption key (DEK) source cache. On a restart, this value is an approximation of the number of decrypt RPC calls the server will make to the KMS plugin.',
      () => providers().map(({ name: provider, seedsKept }) => [{ provider_name: provider }, seedsKept] as const),
    )
    metrics.histogramsOf(
      name('kms_operations_latency_seconds'),
      'KMS operation duration with gRPC error code status total.',
      () => providers().map(({ observed }) => observed.operations),
    )
  }

  used(type: Direction, provider: string, keyId: string): void {
    const hash = hashOf(keyId)
    const key = `${type}/${provider}/${hash}`
    const known = this.#uses.get(key)
    const labels = known?.labels ?? {
      apiserver_id_hash: this.#server,
      key_id_hash: hash,
      provider_name: provider,
      transformation_type: type,
    }
    const count = (known?.count ?? 0) + 1
    keepNewest(this.#uses, key, { labels, count, atSeconds: this.#clock.now() / 1000 })
  }
}

/** Puts it last, and lets the one go that was put longest ago. */
function keepNewest<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > KEYS_MAX) map.delete(map.keys().next().value!)
}

/** gRPC's name in the error's text: `rpc error: code = Unavailable desc = …`. */
function codeOf({ message }: KmsError): string {
  return /code = (\w+)/.exec(message)?.[1] ?? 'Unknown'
}
