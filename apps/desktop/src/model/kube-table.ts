// Kubernetes' own tables: the server says which columns a kind has, custom kinds included, and the desktop shows what it says.

export interface TableColumn {
  readonly name: string
  /** `string`, `integer`, `number`, `boolean`, `date`. */
  readonly type: string
  readonly priority: number
}

export interface WireRow {
  readonly cells: readonly unknown[]
  readonly object?: {
    readonly metadata?: {
      readonly name?: string
      readonly namespace?: string
      readonly uid?: string
      readonly resourceVersion?: string
      readonly creationTimestamp?: string
      readonly deletionTimestamp?: string
      readonly labels?: Readonly<Record<string, string>>
    }
  }
}

export interface WireTable {
  readonly kind: string
  readonly metadata?: {
    readonly resourceVersion?: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly columnDefinitions?: readonly {
    readonly name: string
    readonly type: string
    readonly priority?: number
  }[]
  readonly rows?: readonly WireRow[] | null
}

export interface Row {
  /** Namespace and name: what tells two rows of one kind apart while both live. */
  readonly key: string
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly createdMs: number
  readonly deleting: boolean
  readonly cells: readonly (string | number)[]
  /** `app=web,tier=front`; empty without labels. */
  readonly labels: string
}

/** Columns as they stand in the first page; later pages and events of a watch may leave them out. */
export function columnsOf(table: WireTable): readonly TableColumn[] {
  return (table.columnDefinitions ?? []).map(({ name, type, priority = 0 }) => ({ name, type, priority }))
}

/** Equal texts are kept once: a hundred thousand pods share a few states, nodes and label sets. */
export type Intern = (text: string) => string

export function internPool(): Intern {
  const pool = new Map<string, string>()
  return (text) => {
    const known = pool.get(text)
    if (known !== undefined) return known
    pool.set(text, text)
    return text
  }
}

/** `nowMs`: when the server answered; times that it tells as ages are kept as times. */
export function rowOf(wire: WireRow, columns: readonly TableColumn[], intern: Intern, nowMs: number): Row {
  const metadata = wire.object?.metadata ?? {}
  const namespace = intern(metadata.namespace ?? '')
  const [first] = wire.cells
  const name = metadata.name ?? (typeof first === 'string' ? first : '')
  const labels = Object.entries(metadata.labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  return {
    key: namespace === '' ? name : `${namespace}/${name}`,
    uid: metadata.uid ?? '',
    namespace,
    name,
    createdMs: Date.parse(metadata.creationTimestamp ?? '') || 0,
    deleting: metadata.deletionTimestamp !== undefined,
    cells: wire.cells.map((cell, at) => cellOf(cell, columns[at]?.name ?? '', name, { intern, nowMs })),
    labels: intern(labels),
  }
}

function cellOf(
  cell: unknown,
  column: string,
  name: string,
  { intern, nowMs }: { readonly intern: Intern; readonly nowMs: number },
): string | number {
  if (cell === name) return name
  // Ages are told as they are now, not as they were when the server answered.
  if (column === 'Age') return ''
  if (typeof cell === 'string' && timeColumns.has(column)) return timeOf(cell, nowMs) ?? intern(cell)
  if (typeof cell === 'number') return cell
  if (cell === null || cell === undefined) return ''
  return intern(
    typeof cell === 'string' ? cell : typeof cell === 'object' ? JSON.stringify(cell) : String(cell as boolean),
  )
}

/** Told as ages; in a row they are milliseconds since 1970. */
export const timeColumns: ReadonlySet<string> = new Set(['Last Seen', 'Last Schedule'])

const unitsMs: Readonly<Record<string, number>> = { y: 31_536_000_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 }

function timeOf(age: string, nowMs: number): number | undefined {
  if (!/^(\d+[ydhms])+$/.test(age)) return undefined
  return (
    nowMs -
    [...age.matchAll(/(\d+)([ydhms])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * unitsMs[unit!]!, 0)
  )
}

/** As kubectl shortens it: `42s`, `3m20s`, `5h`, `12d`, `2y30d`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return days % 365 === 0 || years >= 8 ? `${years}y` : `${years}y${days % 365}d`
}

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet'

/** Columns whose values say how something is. */
export const toneColumns: ReadonlySet<string> = new Set([
  'Status',
  'State',
  'Phase',
  'Type',
  'Ready',
  'Complete',
  'Available',
  'Established',
  'Reason',
])
const good =
  /^(Running|Ready|Bound|Active|Available|Complete|Completed|Succeeded|Established|Approved(,Issued)?|True|Deployed|Healthy|Synced)$/
const bad =
  /^(Failed|Error|.*BackOff|.*Err.*|CrashLoopBackOff|OOMKilled|Evicted|Lost|NotReady.*|Unknown|Unschedulable|InvalidImageName|ContainerStatusUnknown|Denied|Init:(Error|CrashLoopBackOff|ImagePull.*|ErrImagePull)|DeadlineExceeded|NodeLost)$/
const busy =
  /^(Pending|ContainerCreating|PodInitializing|Init:.*|Terminating|Creating|Updating|Upgrading|Scaling|Deleting|Suspended|Released|Starting|Stopping|NotReady,.*)$/

/** How a cell is to be taken, for the dot beside it; undefined where the column says nothing of health. */
export function toneOf(column: string, value: string | number): Tone | undefined {
  if (!toneColumns.has(column)) return undefined
  const text = String(value)
  if (column === 'Ready') {
    const counts = /^(\d+)\/(\d+)$/.exec(text)
    if (counts === null) return text === 'True' ? 'good' : text === 'False' ? 'bad' : undefined
    return undefined
  }
  if (column === 'Type') return text === 'Warning' ? 'warn' : text === 'Normal' ? 'quiet' : undefined
  if (column === 'Reason') return undefined
  if (/SchedulingDisabled/.test(text)) return text.startsWith('NotReady') ? 'bad' : 'warn'
  if (good.test(text)) return text === 'Completed' || text === 'Complete' || text === 'Succeeded' ? 'quiet' : 'good'
  if (bad.test(text)) return 'bad'
  if (busy.test(text)) return 'busy'
  return undefined
}
