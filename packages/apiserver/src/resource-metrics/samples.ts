// The text of a node's `/metrics/resource`, read into samples.

export interface Sample {
  readonly atMs: number
  readonly cpuSeconds: number
  readonly memoryBytes: number
  /** Undefined for nodes. */
  readonly startMs: number | undefined
}

export interface NodeSamples {
  readonly node: Sample | undefined
  /** By `NAMESPACE/NAME`, then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Sample>>
}

type Draft = { atMs?: number; cpuSeconds?: number; memoryBytes?: number; startMs?: number }

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+(\d+))?$/
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** Lines that say something else, or nothing that is a number, are passed over. */
export function readSamples(text: string, nowMs: number): NodeSamples {
  const node: Draft = {}
  const pods = new Map<string, Map<string, Draft>>()
  for (const row of text.split('\n')) {
    const found = line.exec(row.trimEnd())
    const value = Number(found?.[3])
    if (found === null || !Number.isFinite(value)) continue
    const [, metric = '', labelText = '', , time] = found
    const atMs = time === undefined ? nowMs : Number(time)
    if (metric.startsWith('node_')) take(node, metric.slice('node_'.length), value, atMs)
    if (!metric.startsWith('container_')) continue
    const labels = Object.fromEntries([...labelText.matchAll(label)].map(([, name, text]) => [name, unescaped(text!)]))
    const { namespace, pod, container } = labels as Readonly<Record<string, string>>
    if (namespace === undefined || pod === undefined || container === undefined) continue
    const key = `${namespace}/${pod}`
    const containers = pods.get(key) ?? new Map<string, Draft>()
    pods.set(key, containers)
    const draft = containers.get(container) ?? {}
    containers.set(container, draft)
    take(draft, metric.slice('container_'.length), value, atMs)
  }
  const complete = [...pods].map(([key, containers]) => {
    const samples = [...containers].flatMap(([name, draft]) => {
      const sample = finished(draft)
      return sample === undefined ? [] : [[name, sample] as const]
    })
    return [key, new Map(samples)] as const
  })
  return { node: finished(node), pods: new Map(complete) }
}

function take(draft: Draft, metric: string, value: number, atMs: number): void {
  if (metric === 'cpu_usage_seconds_total') {
    draft.cpuSeconds = value
    draft.atMs = atMs
  } else if (metric === 'memory_working_set_bytes') draft.memoryBytes = value
  else if (metric === 'start_time_seconds') draft.startMs = value * 1000
}

function finished({ atMs, cpuSeconds, memoryBytes, startMs }: Draft): Sample | undefined {
  if (atMs === undefined || cpuSeconds === undefined || memoryBytes === undefined) return undefined
  return { atMs, cpuSeconds, memoryBytes, startMs }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_whole, character: string) => (character === 'n' ? '\n' : character))
}
