// What an nftables table should hold, as data. Services and load balancers are rows in flat maps, so that a lookup
// costs the same for one service and for ten thousand, and a change costs what changed.

export interface TableContent {
  /** Stateful objects: `ct timeout NAME` → what stands between its braces. Once made they stay. */
  readonly objects?: ReadonlyMap<string, string>
  /** Sets that come and go: name → what stands between its braces. */
  readonly sets?: ReadonlyMap<string, string>
  /** Name of a map or set → key → value; the value of a set's element is ''. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Chains that come and go, with their rules: one per count of backends. */
  readonly chains: ReadonlyMap<string, readonly string[]>
}

export interface TableShape {
  /** `ip aksel`. */
  readonly name: string
  /** Sets, maps and base chains, as they stand between the braces of `table NAME { … }`. */
  readonly body: string
}

export const emptyContent: TableContent = { elements: new Map(), chains: new Map() }

/** A script that puts the table in place of whatever was there before, in one transaction. */
export function renderTable(shape: TableShape, content: TableContent): string {
  return [replacedTable(shape), ...renderDifference(shape.name, emptyContent, content)].join('\n')
}

/** As `renderTable`, for a table that is all body. The first line is there because what is absent cannot be deleted. */
export function replacedTable({ name, body }: TableShape): string {
  return [`add table ${name}`, `delete table ${name}`, `table ${name} {\n${body}\n}`].join('\n')
}

/** Lines that turn one content into the other; none when they are the same. They belong into one transaction. */
export function renderDifference(table: string, before: TableContent, after: TableContent): readonly string[] {
  const lines: string[] = []
  for (const [object, definition] of after.objects ?? []) {
    if (before.objects?.get(object) === definition) continue
    const words = object.split(' ')
    lines.push(`add ${words.slice(0, -1).join(' ')} ${table} ${words.at(-1)} { ${definition} }`)
  }
  for (const [set, definition] of after.sets ?? []) {
    if (before.sets?.has(set) !== true) lines.push(`add set ${table} ${set} { ${definition} }`)
  }
  for (const [chain, rules] of after.chains) {
    const old = before.chains.get(chain)
    if (old !== undefined && old.join('\n') === rules.join('\n')) continue
    lines.push(old === undefined ? `add chain ${table} ${chain}` : `flush chain ${table} ${chain}`)
    for (const rule of rules) lines.push(`add rule ${table} ${chain} ${rule}`)
  }
  const added: string[] = []
  for (const name of new Set([...before.elements.keys(), ...after.elements.keys()])) {
    const { gone, fresh } = compare(before.elements.get(name) ?? new Map(), after.elements.get(name) ?? new Map())
    if (gone.length > 0) lines.push(`delete element ${table} ${name} { ${gone.join(', ')} }`)
    if (fresh.length > 0) added.push(`add element ${table} ${name} { ${fresh.join(', ')} }`)
  }
  lines.push(...added)
  // Emptied first, all of them: a chain that another one still jumps to cannot go, nor can a set that a rule still asks.
  const goneChains = [...before.chains.keys()].filter((chain) => !after.chains.has(chain))
  lines.push(...goneChains.map((chain) => `flush chain ${table} ${chain}`))
  lines.push(...goneChains.map((chain) => `delete chain ${table} ${chain}`))
  for (const set of before.sets?.keys() ?? []) {
    if (after.sets?.has(set) !== true) lines.push(`delete set ${table} ${set}`)
  }
  return lines
}

function compare(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): { readonly gone: readonly string[]; readonly fresh: readonly string[] } {
  const gone: string[] = []
  const fresh: string[] = []
  for (const [key, value] of before) {
    if (after.get(key) !== value) gone.push(key)
  }
  for (const [key, value] of after) {
    if (before.get(key) !== value) fresh.push(value === '' ? key : `${key} : ${value}`)
  }
  return { gone, fresh }
}

/** Fills the elements of a table row by row. */
export class ContentBuilder {
  readonly #elements = new Map<string, Map<string, string>>()
  readonly #chains = new Map<string, readonly string[]>()
  readonly #objects = new Map<string, string>()

  /** The first value of a key stays: two services that claim one port do not take turns. */
  add(name: string, key: string, value = ''): boolean {
    let rows = this.#elements.get(name)
    if (rows === undefined) this.#elements.set(name, (rows = new Map()))
    if (rows.has(key)) return false
    rows.set(key, value)
    return true
  }

  chain(name: string, rules: readonly string[]): void {
    this.#chains.set(name, rules)
  }

  object(name: string, definition: string): void {
    this.#objects.set(name, definition)
  }

  build(): TableContent {
    return { objects: this.#objects, elements: this.#elements, chains: this.#chains }
  }
}
