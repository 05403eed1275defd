// Tokens whose signature was good: a client sends the same one with hundreds of requests, and looking at it again costs more than most answers.
// What a token allows is asked anew each time: nothing here outlives a grant that is taken away.

import type { JWTPayload } from 'jose'

export class KnownTokens {
  readonly #max: number
  /** By the token itself, the one that was used longest ago first. */
  readonly #payloads = new Map<string, JWTPayload>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#payloads.size
  }

  /** What it says, while it is in force; undefined: whoever asks must look for himself, and finds what is wrong. */
  find(token: string, nowMs: number): JWTPayload | undefined {
    const payload = this.#payloads.get(token)
    if (payload === undefined) return undefined
    this.#payloads.delete(token)
    if (!isInForce(payload, Math.floor(nowMs / 1000))) return undefined
    this.#payloads.set(token, payload)
    return payload
  }

  add(token: string, payload: JWTPayload): void {
    this.#payloads.delete(token)
    this.#payloads.set(token, payload)
    if (this.#payloads.size <= this.#max) return
    for (const oldest of this.#payloads.keys()) {
      this.#payloads.delete(oldest)
      return
    }
  }
}

function isInForce({ exp = 0, nbf = 0 }: JWTPayload, nowSeconds: number): boolean {
  return nbf <= nowSeconds && nowSeconds < exp
}
