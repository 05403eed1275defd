// A key management service as a provider of encryption: it seals one seed, with which this server seals values until the service
// says that its key is another. Reads ask it only for seeds that were not seen before; writes go on for a while without it.

import { sleep } from '@aksel/base/clock'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { sealedPrefix } from '../unopened.ts'
import type { Sealer } from '../providers.ts'
import {
  decodeEnvelope,
  encodeEnvelope,
  openerOf,
  seedSealer,
  SEED_BYTES,
  sourceTypes,
  type Opener,
} from './envelope.ts'
import { KmsObservations } from './kms-metrics.ts'
import { hashOf, keyIdFault, sealedSeedFault, type KmsService, type KmsStatus, type SealedSeed } from './protocol.ts'

/** Upstream's times. */
const POSITIVE_INTERVAL_MS = 60_000
const NEGATIVE_INTERVAL_MS = 10_000
const POSITIVE_ANSWER_MS = 20_000
const NEGATIVE_ANSWER_MS = 3_000
/** For so long after its last good answer values are sealed without the service. */
const WRITES_MAX_MS = 180_000
/** Opened seeds are forgotten after this, so that a service that takes a key away is heard within the hour. */
const SEED_KEPT_MS = 3_600_000

const versions = ['v2', 'v2beta1']

/** What seals now. */
interface State {
  readonly sealed: SealedSeed
  readonly sealer: Opener & Pick<Sealer, 'seal'>
  readonly cacheKey: string
  /** Wall time. */
  readonly expiresMs: number
}

export class KmsProvider implements Disposable {
  readonly sealer: Sealer
  readonly name: string
  /** What was seen of the service, for metrics. */
  readonly observed: KmsObservations
  readonly #scope: Scope
  readonly #service: KmsService
  readonly #stopping = new AbortController()
  readonly #opened = new Map<string, { readonly opener: Promise<Opener> | Opener; readonly untilMs: number }>()
  #state: State | undefined
  #version: string | undefined
  #answer: { readonly fault: string | undefined; readonly untilMs: number } | undefined
  #checking: Promise<string | undefined> | undefined

  constructor(scope: Scope, name: string, service: KmsService) {
    this.#scope = scope
    this.#service = service
    this.name = name
    this.observed = new KmsObservations(scope.clock, name)
    const prefix = `${sealedPrefix}kms:v2:${name}:`
    this.sealer = {
      prefix,
      seal: (value, place, nonce) => this.#seal(value, place, nonce),
      open: (sealed, place) => this.#open(sealed, place),
      keyOf: (sealed) => markOf(decodeEnvelope(sealed)),
      kms: { name, keyIdOf: (sealed) => decodeEnvelope(sealed).seed.keyId },
      keyNow: () =>
        this.#state === undefined ? '' : markOf({ seed: this.#state.sealed, sourceType: sourceTypes.seed }),
    }
  }

  /** Opened seeds that are kept: that many questions a new start would ask. */
  get seedsKept(): number {
    return this.#opened.size + (this.#state === undefined ? 0 : 1)
  }

  /** Asks once, then for as long as it lives, as often as upstream does. Never rejects: the service may come later. */
  async start(): Promise<void> {
    const fault = await this.check()
    void this.#follow(fault).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) this.#scope.log.error('a key management service is asked no more', { error })
    })
  }

  /** What is wrong with it, in upstream's words; an answer is good for some seconds. */
  async check(): Promise<string | undefined> {
    if (this.#answer !== undefined && this.#scope.clock.monotonicMs() < this.#answer.untilMs) return this.#answer.fault
    this.#checking ??= this.#judged().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  [Symbol.dispose](): void {
    this.#stopping.abort(new Error('the key management service is no longer used'))
    this.#service[Symbol.dispose]()
  }

  async #follow(fault: string | undefined): Promise<void> {
    const { clock, log } = this.#scope
    const { signal } = this.#stopping
    for (let last = fault; !signal.aborted;) {
      await sleep(clock, last === undefined ? POSITIVE_INTERVAL_MS : NEGATIVE_INTERVAL_MS, signal)
      last = await this.check()
      if (last !== undefined && !signal.aborted)
        log.warn('a key management service failed its health check', { provider: this.name, fault: last })
    }
  }

  async #judged(): Promise<string | undefined> {
    const fault = await this.#fault()
    const keptMs = fault === undefined ? POSITIVE_ANSWER_MS : NEGATIVE_ANSWER_MS
    this.#answer = { fault, untilMs: this.#scope.clock.monotonicMs() + keptMs }
    return fault
  }

  async #fault(): Promise<string | undefined> {
    let status: KmsStatus
    try {
      status = await this.observed.operation('Status', () => this.#service.status())
    } catch (error) {
      return `failed to perform status section of the healthz check for KMS Provider ${this.name}, error: ${(error as Error).message}`
    }
    const faults = [...this.#statusFaults(status), await this.#keyFault(status.keyId)].filter(
      (one) => one !== undefined,
    )
    if (faults.length === 0) return undefined
    const text = faults.length === 1 ? faults[0]! : `[${faults.join(', ')}]`
    return `kmsv2 Provider ${this.name} is not healthy, error: ${text}`
  }

  #statusFaults({ healthz, version }: KmsStatus): readonly string[] {
    const faults: string[] = []
    if (healthz !== 'ok') faults.push(`got unexpected healthz status: ${healthz}`)
    if (!versions.includes(version)) return [...faults, `expected KMSv2 API version v2, got ${version}`]
    this.#version ??= version
    if (version !== this.#version)
      faults.push(
        `KMSv2 API version should not change after the initial status response version ${this.#version}, got ${version}`,
      )
    return faults
  }

  async #keyFault(keyId: string): Promise<string | undefined> {
    const invalid = keyIdFault(keyId)
    if (invalid !== undefined) {
      this.observed.namedBadly(keyId)
      return `got invalid KMSv2 KeyID hash ${JSON.stringify(hashOf(keyId))}: ${invalid}`
    }
    this.observed.named(keyId)
    // From before the service is asked: it is an upper bound.
    const expiresMs = this.#scope.clock.now() + WRITES_MAX_MS
    if (this.#state?.sealed.keyId === keyId) {
      this.#state = { ...this.#state, expiresMs }
      return undefined
    }
    const uid = uuid(this.#scope.random)
    const made = await this.#newState(uid, expiresMs)
    if ('sealed' in made && made.sealed.keyId === keyId) {
      // Other values that it sealed stay readable without the service for a while.
      if (this.#state !== undefined) this.#remember(this.#state.cacheKey, this.#state.sealer)
      this.#state = made
      return undefined
    }
    const encrypted = 'sealed' in made ? made.sealed.keyId : ''
    const why = 'sealed' in made ? '<nil>' : made.fault
    const old = this.#state?.sealed.keyId ?? ''
    const hashes = `statusKeyIDHash=${quoted(keyId)}, encryptKeyIDHash=${quoted(encrypted)}, stateKeyIDHash=${quoted(old)}`
    return `failed to rotate DEK uid="${uid}", useSeed=true, errGen=${why}, ${hashes}, expirationTimestamp=${goTime(this.#state?.expiresMs)}`
  }

  async #newState(uid: string, expiresMs: number): Promise<State | { readonly fault: string }> {
    const seed = this.#scope.random.nextBytes(SEED_BYTES)
    try {
      const sealed = await this.observed.operation('Encrypt', () => this.#service.encrypt(uid, seed))
      const fault = sealedSeedFault(sealed)
      if (fault !== undefined) return { fault }
      const cacheKey = cacheKeyOf({ seed: sealed, sourceType: sourceTypes.seed })
      return { sealed, sealer: seedSealer(seed), cacheKey, expiresMs }
    } catch (error) {
      return { fault: `failed to encrypt DEK, error: ${(error as Error).message}` }
    }
  }

  #seal(value: Uint8Array, place: string, nonce: (bytes: number) => Uint8Array): Buffer {
    const { sealed, sealer, expiresMs } = this.#current()
    const nowMs = this.#scope.clock.now()
    if (nowMs > expiresMs)
      throw new Error(
        `encryptedDEKSource with keyID hash ${quoted(sealed.keyId)} expired at ${goTime(expiresMs)} (current time is ${goTime(nowMs)})`,
      )
    return encodeEnvelope({ data: sealer.seal(value, place, nonce), seed: sealed, sourceType: sourceTypes.seed })
  }

  #current(): State {
    if (this.#state === undefined) throw new Error('got unexpected nil transformer')
    return this.#state
  }

  #open(sealed: Buffer, place: string): Buffer | Promise<Buffer> {
    const envelope = decodeEnvelope(sealed)
    const current = this.#current()
    const key = cacheKeyOf(envelope)
    if (key === current.cacheKey) return current.sealer.open(envelope.data, place)
    const known = this.#opened.get(key)
    const isKnown = known !== undefined && this.#scope.clock.monotonicMs() < known.untilMs
    const opener = isKnown ? known.opener : this.#ask(key, envelope)
    return opener instanceof Promise
      ? opener.then((one) => one.open(envelope.data, place))
      : opener.open(envelope.data, place)
  }

  /** Once for all who ask for the same seed meanwhile. */
  #ask(key: string, { seed, sourceType }: Parameters<typeof cacheKeyOf>[0]): Promise<Opener> {
    const call = (): Promise<Uint8Array> => this.#service.decrypt(uuid(this.#scope.random), seed)
    const asked = this.observed.operation('Decrypt', call).then(
      (source) => openerOf(source, sourceType),
      (error: unknown) => {
        throw new DecryptError((error as Error).message, error)
      },
    )
    this.#remember(key, asked)
    asked.then(
      (opener) => this.#remember(key, opener),
      () => this.#opened.delete(key),
    )
    return asked
  }

  #remember(key: string, opener: Opener | Promise<Opener>): void {
    const nowMs = this.#scope.clock.monotonicMs()
    for (const [other, { untilMs }] of this.#opened) if (untilMs <= nowMs) this.#opened.delete(other)
    this.#opened.set(key, { opener, untilMs: nowMs + SEED_KEPT_MS })
  }
}

/** The service did not open a seed; `cause` is a KmsError. */
export class DecryptError extends Error {
  constructor(message: string, cause: unknown) {
    super(`failed to decrypt DEK, error: ${message}`, { cause })
    this.name = 'DecryptError'
  }
}

type SealedSource = Pick<ReturnType<typeof decodeEnvelope>, 'seed' | 'sourceType'>

/** A value whose mark is another than that of now is written anew when it is written. */
function markOf({ seed, sourceType }: SealedSource): string {
  return `${sourceType}:${seed.keyId}`
}

function cacheKeyOf({ seed, sourceType }: SealedSource): string {
  const annotations = Object.entries(seed.annotations)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  return JSON.stringify([sourceType, seed.keyId, Buffer.from(seed.ciphertext).toString('base64'), annotations])
}

function quoted(keyId: string): string {
  return JSON.stringify(hashOf(keyId))
}

/** RFC 3339 to the second; Go's zero time for none. */
function goTime(ms: number | undefined): string {
  return ms === undefined ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
