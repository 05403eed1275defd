// The most that a number was within the last whole second, for gauges that are read now and then.

const WINDOW_MS = 1_000

export class HighWater {
  #value = 0
  /** Of the window that began at `#startMs`. */
  #most = 0
  /** Of the one before. */
  #last = 0
  #startMs: number

  constructor(nowMs: number) {
    this.#startMs = nowMs
  }

  set(value: number, nowMs: number): void {
    this.#roll(nowMs)
    this.#value = value
    if (value > this.#most) this.#most = value
  }

  read(nowMs: number): number {
    this.#roll(nowMs)
    return this.#last
  }

  #roll(nowMs: number): void {
    const windows = Math.floor((nowMs - this.#startMs) / WINDOW_MS)
    if (windows < 1) return
    // Windows in which nothing changed had the same all the while.
    this.#last = windows === 1 ? this.#most : this.#value
    this.#most = this.#value
    this.#startMs += windows * WINDOW_MS
  }
}
