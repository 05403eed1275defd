// Sets of CPUs as the kernel writes them: `0-3,6`. Pure.

export type CpuSet = readonly number[]

export function parseCpuSet(text: string): CpuSet {
  const cpus = text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number) as [number, number?]
      if (!Number.isInteger(from) || !Number.isInteger(to)) throw new Error(`"${text}" is no set of CPUs`)
      return Array.from({ length: to! - from + 1 }, (_, index) => from + index)
    })
  return [...new Set(cpus)].toSorted((left, right) => left - right)
}

export function formatCpuSet(cpus: CpuSet): string {
  const runs: [number, number][] = []
  for (const cpu of cpus.toSorted((left, right) => left - right)) {
    const last = runs.at(-1)
    if (last !== undefined && cpu === last[1] + 1) last[1] = cpu
    else runs.push([cpu, cpu])
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',')
}

export function without(cpus: CpuSet, taken: CpuSet): CpuSet {
  return cpus.filter((cpu) => !taken.includes(cpu))
}
