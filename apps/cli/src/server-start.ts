// How long a server that starts is waited for: as long as its process lives, within reason. On a machine with other work it may take minutes.

/** A server that has not answered by then hangs. */
const LATE_MS = 180_000
/** Whoever waits longer than usual is told that it goes on. */
const TELL_EVERY_MS = 15_000

export interface StartingServer {
  readonly look: () => 'starting' | 'ready' | 'ended'
  /** Resolves when it is worth looking again. */
  readonly change: () => Promise<void>
  readonly nowMs: () => number
  readonly say: (text: string) => void
}

export async function startedServer({ look, change, nowMs, say }: StartingServer): Promise<'ready' | 'ended' | 'late'> {
  const beganMs = nowMs()
  while (true) {
    const state = look()
    if (state !== 'starting') return state
    const waitedMs = nowMs() - beganMs
    if (waitedMs >= LATE_MS) return 'late'
    const told = Math.floor(waitedMs / TELL_EVERY_MS) * TELL_EVERY_MS
    if (told > 0) say(`The server is still starting after ${told / 1000} s`)
    await change()
  }
}

/** It is not ended: what it is at may be worth more than the patience of whoever asked for it. */
export function lateStart(pid: number | undefined, log: string, end: string): string {
  return `The server runs as process ${pid} and has not answered within ${LATE_MS / 1000} s. It goes on: "./aksel up" waits for it once more, "./aksel down" ends it. The end of its log (${log}):\n${end}`
}
