// A place where a test stands between a caller and a fake: to count calls, hold them up, or end the world.

export interface Interference {
  /** Called before the fake does anything; what it throws, the call rejects with. */
  readonly before?: (call: string) => void | Promise<void>
  /** Called when it is done, before the answer. */
  readonly after?: (call: string) => void | Promise<void>
}

/** Does the work between both hooks. */
export async function interfered<T>(interference: Interference, call: string, work: () => T | Promise<T>): Promise<T> {
  await interference.before?.(call)
  const result = await work()
  await interference.after?.(call)
  return result
}
