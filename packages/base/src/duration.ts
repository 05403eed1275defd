// Durations as Go writes them, and Kubernetes' configuration with it.

/** Go's way of writing durations: `1h30m`, `5m0s`, `250ms`. Milliseconds; throws an error that names the setting. */
export function durationMs(setting: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    if (text === '0') return 0
    throw new Error(`${setting}: "${text}" is no duration, such as 30s or 1m30s`)
  }
  const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit as keyof typeof units], 0)
}
