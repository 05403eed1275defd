// Command-line flags as Go's pflag reads them: `--name=value`, `--name value`, and switches without a value.

export interface Flags {
  /** What stands outside of flags. */
  readonly words: readonly string[]
  text(name: string, otherwise: string): string
  number(name: string, otherwise: number): number
  isOn(name: string): boolean
  /** Every value of a flag that may stand several times. */
  all(name: string): readonly string[]
}

export function parseFlags(args: readonly string[]): Flags {
  const values = new Map<string, string[]>()
  const words: string[] = []
  const put = (name: string, value: string): void => void values.set(name, [...(values.get(name) ?? []), value])
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at]!
    const [, name, , value] = /^--?([\w-]+)(=([\s\S]*))?$/.exec(arg) ?? []
    if (name === undefined) words.push(arg)
    else if (value !== undefined) put(name, value)
    else if (at + 1 < args.length && !args[at + 1]!.startsWith('-')) put(name, args[(at += 1)]!)
    else put(name, 'true')
  }
  const last = (name: string): string | undefined => values.get(name)?.at(-1)
  return {
    words,
    text: (name, otherwise) => last(name) ?? otherwise,
    number: (name, otherwise) => (last(name) === undefined ? otherwise : Number(last(name))),
    isOn: (name) => last(name) !== undefined && last(name) !== 'false',
    all: (name) => values.get(name) ?? [],
  }
}

/** Go's durations in milliseconds: `300ms`, `1.5s`, `2m`, `1h`, and sums of them. */
export function parseDuration(text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) totalMs += Number(amount) * units[unit!]!
  return totalMs
}
