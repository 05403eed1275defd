// Keys in order, in memory: a B+ tree that counts, so that insertion never moves more than one small array and the
// number of keys below a prefix is known without walking them.
//
// Order is that of JavaScript strings (UTF-16 code units). It is the byte order of UTF-8 for all but characters beyond
// U+FFFF, which no Kubernetes or Azure name may hold.

/** What the tree holds. `live` says whether the entry counts; change it by `setLive` alone. */
export interface IndexEntry {
  readonly key: string
  live: 0 | 1
}

interface Leaf<Entry> {
  readonly kind: 'leaf'
  readonly entries: Entry[]
  live: number
}

interface Branch<Entry> {
  readonly kind: 'branch'
  /** `lows[i]` is not above any key of `children[i]` and above every key of `children[i - 1]`. */
  readonly lows: string[]
  readonly children: Node<Entry>[]
  live: number
}

type Node<Entry> = Leaf<Entry> | Branch<Entry>

const SIZE_MAX = 64

export class KeyIndex<Entry extends IndexEntry> {
  #root: Node<Entry> = { kind: 'leaf', entries: [], live: 0 }
  #size = 0

  /** Entries held, live or not. */
  get size(): number {
    return this.#size
  }

  get(key: string): Entry | undefined {
    let node = this.#root
    while (node.kind === 'branch') node = node.children[childOf(node, key)]!
    const entry = node.entries[position(node.entries, key)]
    return entry?.key === key ? entry : undefined
  }

  /** The key must not be there yet. */
  insert(entry: Entry): void {
    const right = insertInto(this.#root, entry)
    this.#size += 1
    if (right === undefined) return
    const left = this.#root
    this.#root = {
      kind: 'branch',
      lows: ['', right.low],
      children: [left, right.node],
      live: left.live + right.node.live,
    }
  }

  /** The key must be there. */
  remove(key: string): void {
    removeFrom(this.#root, key)
    this.#size -= 1
    while (this.#root.kind === 'branch' && this.#root.children.length === 1) this.#root = this.#root.children[0]!
  }

  setLive(entry: Entry, live: 0 | 1): void {
    const delta = live - entry.live
    if (delta === 0) return
    entry.live = live
    let node = this.#root
    while (node.kind === 'branch') {
      node.live += delta
      node = node.children[childOf(node, entry.key)]!
    }
    node.live += delta
  }

  /** Live entries with a key below this one; all of them when absent. */
  liveBelow(key: string | undefined): number {
    if (key === undefined) return this.#root.live
    let count = 0
    let node = this.#root
    while (node.kind === 'branch') {
      const at = childOf(node, key)
      for (let i = 0; i < at; i++) count += node.children[i]!.live
      node = node.children[at]!
    }
    const end = position(node.entries, key)
    for (let i = 0; i < end; i++) count += node.entries[i]!.live
    return count
  }

  /** Entries in order from the first key that is not below `from`, until `visit` returns false. */
  visitFrom(from: string, visit: (entry: Entry) => boolean): void {
    visitNode(this.#root, from, visit)
  }
}

/** The smallest string above every string that begins with the prefix; undefined when there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const unit = prefix.charCodeAt(i)
    if (unit < 0xffff) return prefix.slice(0, i) + String.fromCharCode(unit + 1)
  }
  return undefined
}

/** Where the key stands or would stand. */
function position<Entry extends IndexEntry>(entries: readonly Entry[], key: string): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}

function childOf<Entry>(branch: Branch<Entry>, key: string): number {
  const { lows } = branch
  let low = 1
  let high = lows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (lows[middle]! <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}

interface Split<Entry> {
  readonly low: string
  readonly node: Node<Entry>
}

function insertInto<Entry extends IndexEntry>(node: Node<Entry>, entry: Entry): Split<Entry> | undefined {
  node.live += entry.live
  if (node.kind === 'leaf') {
    const at = position(node.entries, entry.key)
    node.entries.splice(at, 0, entry)
    return node.entries.length > SIZE_MAX ? splitLeaf(node, at) : undefined
  }
  const at = childOf(node, entry.key)
  const right = insertInto(node.children[at]!, entry)
  if (right === undefined) return undefined
  node.lows.splice(at + 1, 0, right.low)
  node.children.splice(at + 1, 0, right.node)
  return node.children.length > SIZE_MAX ? splitBranch(node) : undefined
}

/** Keys that come in rising order leave full leaves behind; others split in the middle. */
function splitLeaf<Entry extends IndexEntry>(leaf: Leaf<Entry>, insertedAt: number): Split<Entry> {
  const at = insertedAt === leaf.entries.length - 1 ? insertedAt : leaf.entries.length >>> 1
  const entries = leaf.entries.splice(at)
  let live = 0
  for (const entry of entries) live += entry.live
  leaf.live -= live
  return { low: entries[0]!.key, node: { kind: 'leaf', entries, live } }
}

function splitBranch<Entry>(branch: Branch<Entry>): Split<Entry> {
  const at = branch.children.length >>> 1
  const children = branch.children.splice(at)
  const lows = branch.lows.splice(at)
  let live = 0
  for (const child of children) live += child.live
  branch.live -= live
  return { low: lows[0]!, node: { kind: 'branch', lows, children, live } }
}

/** Returns what the removed entry counted. */
function removeFrom<Entry extends IndexEntry>(node: Node<Entry>, key: string): number {
  if (node.kind === 'leaf') {
    const [entry] = node.entries.splice(position(node.entries, key), 1)
    node.live -= entry!.live
    return entry!.live
  }
  const at = childOf(node, key)
  const live = removeFrom(node.children[at]!, key)
  node.live -= live
  mergeAround(node, at)
  return live
}

/** A child that became small moves into its left neighbour, so that keys that come and go leave no thin tree behind. */
function mergeAround<Entry extends IndexEntry>(branch: Branch<Entry>, at: number): void {
  if (widthOf(branch.children[at]!) > SIZE_MAX / 4 || branch.children.length === 1) return
  const right = at === 0 ? 1 : at
  const into = branch.children[right - 1]!
  const from = branch.children[right]!
  const width = widthOf(into) + widthOf(from)
  if (width > (SIZE_MAX * 3) / 4 && width !== widthOf(into) && width !== widthOf(from)) return
  if (into.kind === 'leaf' && from.kind === 'leaf') into.entries.push(...from.entries)
  if (into.kind === 'branch' && from.kind === 'branch') {
    into.lows.push(branch.lows[right]!, ...from.lows.slice(1))
    into.children.push(...from.children)
  }
  into.live += from.live
  branch.lows.splice(right, 1)
  branch.children.splice(right, 1)
}

function widthOf<Entry>(node: Node<Entry>): number {
  return node.kind === 'leaf' ? node.entries.length : node.children.length
}

function visitNode<Entry extends IndexEntry>(
  node: Node<Entry>,
  from: string,
  visit: (entry: Entry) => boolean,
): boolean {
  if (node.kind === 'leaf') {
    for (let i = position(node.entries, from); i < node.entries.length; i++) {
      if (!visit(node.entries[i]!)) return false
    }
    return true
  }
  for (let i = childOf(node, from); i < node.children.length; i++) {
    if (!visitNode(node.children[i]!, from, visit)) return false
  }
  return true
}
