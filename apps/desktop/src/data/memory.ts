// What the desktop remembers in this browser: how one likes to look at things. Never a credential.

export function recall<T>(name: string): T | undefined {
  try {
    const text = localStorage.getItem(`aksel.${name}`)
    return text === null ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`aksel.${name}`, JSON.stringify(value))
  } catch {
    // A full or forbidden storage costs a habit, no more.
  }
}
