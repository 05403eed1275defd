// What the API server measures, written in Prometheus' text format. Families are declared where they are measured; other
// parts of the server add theirs to the same registry.

export type Labels = Readonly<Record<string, string>>

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Its samples; asked when the metrics are read. */
  readonly lines: () => readonly string[] | Promise<readonly string[]>
}

/** `a="1",b="2"`: in the order given, values escaped. */
export function labelText(labels: Labels): string {
  let text = ''
  for (const name in labels) {
    const value = labels[name]!
    const escaped = /["\\\n]/.test(value) ? value.replaceAll(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`)) : value
    text += `${text === '' ? '' : ','}${name}="${escaped}"`
  }
  return text
}

function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`
}

export class Counter {
  readonly #values = new Map<string, number>()

  /** `labels` as `labelText` makes them. */
  add(labels: string, by = 1): void {
    this.#values.set(labels, (this.#values.get(labels) ?? 0) + by)
  }

  lines(name: string): readonly string[] {
    return [...this.#values].map(([labels, value]) => sample(name, labels, value))
  }
}

/** One set of labels of a histogram: kept by whoever observes it often. */
export class Series {
  readonly counts: number[]
  readonly #bounds: readonly number[]
  sum = 0
  count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  /** `times`: how often the value was seen. */
  observe(value: number, times = 1): void {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > bounds[at]!) at += 1
    if (at < bounds.length) this.counts[at]! += times
    this.sum += value * times
    this.count += times
  }

  /** `labels` as `labelText` makes them. */
  lines(name: string, labels: string): readonly string[] {
    const comma = labels === '' ? '' : `${labels},`
    let below = 0
    const buckets = this.#bounds.map((bound, at) => {
      below += this.counts[at]!
      return sample(`${name}_bucket`, `${comma}le="${goNumber(bound)}"`, below)
    })
    return [
      ...buckets,
      sample(`${name}_bucket`, `${comma}le="+Inf"`, this.count),
      sample(`${name}_sum`, labels, this.sum),
      sample(`${name}_count`, labels, this.count),
    ]
  }
}

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #values = new Map<string, Series>()

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
  }

  /** `labels` as `labelText` makes them. */
  series(labels: string): Series {
    let found = this.#values.get(labels)
    if (found === undefined) this.#values.set(labels, (found = new Series(this.#bounds)))
    return found
  }

  observe(labels: string, value: number): void {
    this.series(labels).observe(value)
  }

  lines(name: string): readonly string[] {
    return [...this.#values].flatMap(([labels, series]) => series.lines(name, labels))
  }
}

/** As Go writes it: `1e+06` from a million on, so that rules which name a bucket find it. */
function goNumber(value: number): string {
  if (value === 0 || (value < 1e6 && value >= 1e-4)) return String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

/** All families of one server. */
export class MetricsRegistry {
  readonly #families = new Map<string, Family>()

  counter(name: string, help: string): Counter {
    const counter = new Counter()
    this.counterOf(name, help, counter)
    return counter
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds)
    this.#declare({ name, help, type: 'histogram', lines: () => histogram.lines(name) })
    return histogram
  }

  /** A counter that others keep, for several servers. */
  counterOf(name: string, help: string, counter: Counter): void {
    this.#declare({ name, help, type: 'counter', lines: () => counter.lines(name) })
  }

  /** Histograms that others keep, as one family; `read` is asked when the metrics are. */
  histogramsOf(name: string, help: string, read: () => readonly Histogram[]): void {
    this.#declare({ name, help, type: 'histogram', lines: () => read().flatMap((one) => one.lines(name)) })
  }

  /** The same of single series. */
  seriesOf(name: string, help: string, read: () => readonly (readonly [Labels, Series])[]): void {
    const lines = (): readonly string[] => read().flatMap(([labels, series]) => series.lines(name, labelText(labels)))
    this.#declare({ name, help, type: 'histogram', lines })
  }

  /** `read` is asked when the metrics are: labels and value of each sample. */
  gauge(
    name: string,
    help: string,
    read: () => readonly (readonly [Labels, number])[] | Promise<readonly (readonly [Labels, number])[]>,
    type: 'gauge' | 'counter' = 'gauge',
  ): void {
    const lines = async (): Promise<readonly string[]> =>
      (await read()).map(([labels, value]) => sample(name, labelText(labels), value))
    this.#declare({ name, help, type, lines })
  }

  /** Prometheus' text format, families by name; `only`: of these alone. */
  async text(only?: ReadonlySet<string>): Promise<string> {
    const parts: string[] = []
    for (const name of [...this.#families.keys()].sort()) {
      if (only?.has(name) === false) continue
      const { help, type, lines } = this.#families.get(name)!
      const samples = await lines()
      if (samples.length > 0) parts.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples)
    }
    return `${parts.join('\n')}\n`
  }

  #declare(family: Family): void {
    if (this.#families.has(family.name)) throw new Error(`the metric ${family.name} is declared twice`)
    this.#families.set(family.name, family)
  }
}
