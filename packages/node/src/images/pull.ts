// Brings a container's image to the node by its pull policy, with upstream's back-off and words.

import type { Container, Pod, Secret } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { ContainerRuntime, ImageAuth, ImageEntry } from '../cri/types.ts'
import { authFor } from './credentials.ts'

export const imageErrorReasons = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
] as const
export type ImageErrorReason = (typeof imageErrorReasons)[number]

/** Why a container cannot have its image; the reason and message are those of its waiting state. */
export class ImageError extends Error {
  readonly reason: ImageErrorReason
  readonly retryAtMs: number | undefined

  constructor(reason: ImageErrorReason, message: string, retryAtMs?: number) {
    super(message)
    this.name = 'ImageError'
    this.reason = reason
    this.retryAtMs = retryAtMs
  }
}

export interface ImageNews {
  (type: 'Normal' | 'Warning', reason: string, message: string): void
}

export interface ImageRequest {
  readonly pod: Pod
  readonly container: Container
  readonly pullSecrets: readonly Secret[]
  readonly tell: ImageNews
  /** Ends the wait for a pull; the pull itself goes on for others that wait. */
  readonly signal: AbortSignal
}

export interface PullerOptions {
  /** Told before a container may use the image. */
  readonly onPulled?: (id: string, image: string, auth: ImageAuth | undefined) => Promise<void>
  /** Whether what lies here is this pod's to use without asking its registry; all of it when absent. */
  readonly mayUse?: (id: string, image: string, auth: ImageAuth | undefined) => Promise<boolean>
  /** So many pulls at once; any number when absent. */
  readonly pullsMax?: number
}

interface BackOff {
  readonly delayMs: number
  readonly sinceMs: number
  /** Of the last pull. */
  readonly error: string
}

const DELAY_MS_MIN = 10_000
const DELAY_MS_MAX = 300_000
/** How long a failure stands for itself before it is a back-off. */
const TELL_MS = 1000

export class ImagePuller {
  readonly #scope: Scope
  readonly #runtime: ContainerRuntime
  readonly #onPulled: NonNullable<PullerOptions['onPulled']>
  readonly #mayUse: PullerOptions['mayUse']
  readonly #backOffs = new Map<string, BackOff>()
  readonly #pulls = new Map<string, Promise<number>>()
  #pullsLeft: number
  readonly #waiting: (() => void)[] = []

  constructor(scope: Scope, runtime: ContainerRuntime, options: PullerOptions = {}) {
    this.#scope = scope
    this.#onPulled = options.onPulled ?? (async () => {})
    this.#mayUse = options.mayUse
    this.#runtime = runtime
    this.#pullsLeft = options.pullsMax ?? Infinity
  }

  /** The image as the runtime knows it. Rejects with an ImageError. */
  async ensure({ pod, container, pullSecrets, tell, signal }: ImageRequest): Promise<ImageEntry> {
    const image = container.image ?? ''
    if (!isValidReference(image)) {
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`
      tell('Warning', 'InspectFailed', message)
      throw new ImageError('InvalidImageName', message)
    }
    const policy = container.imagePullPolicy ?? defaultPolicy(image)
    const auth = authFor(image, pullSecrets)
    const present = await this.#runtime.imageStatus(image)
    if (present !== undefined && policy !== 'Always' && (await this.#mayUse?.(present.id, image, auth)) !== false) {
      const verified = this.#mayUse === undefined ? '' : ' and can be accessed by the pod'
      tell('Normal', 'Pulled', `Container image "${image}" already present on machine${verified}`)
      return present
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`
      tell('Warning', 'ErrImageNeverPull', message)
      throw new ImageError('ErrImageNeverPull', message)
    }
    await this.#pullWithBackOff(`${pod.metadata.uid}/${image}`, image, auth, tell, signal)
    const pulled = await this.#runtime.imageStatus(image)
    if (pulled === undefined) throw new ImageError('ImageInspectError', `Failed to inspect image "${image}": not found`)
    await this.#onPulled(pulled.id, image, auth)
    return pulled
  }

  async #pullWithBackOff(
    key: string,
    image: string,
    auth: ImageAuth | undefined,
    tell: ImageNews,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#scope
    const before = this.#backOffs.get(key)
    if (before !== undefined && clock.now() < before.sinceMs + before.delayMs) {
      const message = `Back-off pulling image "${image}"`
      tell('Normal', 'BackOff', message)
      const why = `${message}: ErrImagePull: ${before.error}`
      throw new ImageError('ImagePullBackOff', why, before.sinceMs + before.delayMs)
    }
    tell('Normal', 'Pulling', `Pulling image "${image}"`)
    const beganMs = clock.monotonicMs()
    let pullMs = 0
    try {
      pullMs = await untilAborted(this.#pull(image, auth), signal)
    } catch (error) {
      if (signal.aborted) throw error
      const delayMs = Math.min(DELAY_MS_MAX, before === undefined ? DELAY_MS_MIN : before.delayMs * 2)
      const why = (error as Error).message.replace(/^PullImage: /, '')
      this.#backOffs.set(key, { delayMs, sinceMs: clock.now(), error: why })
      const message = `failed to pull image "${image}": ${why}`
      tell('Warning', 'Failed', `Failed to pull image "${image}": ${why}`)
      throw new ImageError('ErrImagePull', message, clock.now() + TELL_MS)
    }
    this.#backOffs.delete(key)
    const [seconds, whole] = [pullMs, clock.monotonicMs() - beganMs].map((ms) => (ms / 1000).toFixed(3))
    const size = (await this.#runtime.imageStatus(image))?.size ?? 0
    tell(
      'Normal',
      'Pulled',
      `Successfully pulled image "${image}" in ${seconds}s (${whole}s including waiting). Image size: ${size} bytes.`,
    )
  }

  /** One pull per image at a time, whoever asks. Resolves to the milliseconds that it took once it was its turn. */
  #pull(image: string, auth: ImageAuth | undefined): Promise<number> {
    const key = `${image} ${JSON.stringify(auth ?? {})}`
    const running = this.#pulls.get(key)
    if (running !== undefined) return running
    const pull = this.#inTurn(() => this.#runtime.pullImage(image, auth, this.#scope.signal)).finally(() =>
      this.#pulls.delete(key),
    )
    this.#pulls.set(key, pull)
    return pull
  }

  async #inTurn(work: () => Promise<unknown>): Promise<number> {
    if (this.#pullsLeft > 0) this.#pullsLeft -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const { clock } = this.#scope
    const beganMs = clock.monotonicMs()
    try {
      await work()
      return clock.monotonicMs() - beganMs
    } finally {
      // The turn goes on to who has waited longest.
      const next = this.#waiting.shift()
      if (next === undefined) this.#pullsLeft += 1
      else next()
    }
  }

  /** The pod is gone. */
  forget(uid: string): void {
    for (const key of this.#backOffs.keys()) if (key.startsWith(`${uid}/`)) this.#backOffs.delete(key)
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

const referencePattern =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?$/

function isValidReference(image: string): boolean {
  return referencePattern.test(image)
}

function defaultPolicy(image: string): 'Always' | 'IfNotPresent' {
  const last = image.slice(image.lastIndexOf('/') + 1)
  const isLatest = !last.includes('@') && (!last.includes(':') || last.endsWith(':latest'))
  return isLatest ? 'Always' : 'IfNotPresent'
}
