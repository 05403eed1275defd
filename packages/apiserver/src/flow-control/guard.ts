// The managed API server guard: when the server itself is late and a few clients are why, these clients, and only these, get a
// small level of their own until they have been modest for a while. Pure: what was seen is handed in.

/** What a client of the server cost within a window. */
export interface ClientCost {
  readonly user: string
  readonly groups: readonly string[]
  /** Seats times the time for which it held them. */
  readonly seatSeconds: number
  readonly requests: number
}

export interface GuardWindow {
  readonly nowMs: number
  /** How late the event loop was at most. */
  readonly lagMs: number
  /** Requests that were turned away. */
  readonly rejected: number
  readonly costs: readonly ClientCost[]
}

export interface GuardState {
  /** Clients that are throttled. */
  readonly clients: readonly string[]
  /** Windows in a row in which the server was threatened. */
  readonly threatened: number
  /** Since when it is not; undefined while it is. */
  readonly calmSinceMs: number | undefined
}

export const calm: GuardState = { clients: [], threatened: 0, calmSinceMs: undefined }

/** Later than this, leases and elections are in danger. */
const LAG_MAX_MS = 250
const REJECTED_MAX = 100
/** Windows in a row before anything is done: a single long list is no threat. */
const THREATENED_MIN = 2
/** Of all that was spent in the window. */
const SHARE_MIN = 0.25
export const GUARD_CALM_MS = 300_000
const CLIENTS_MAX = 10

/** System clients keep the cluster alive: nodes, the control plane's own parts, what runs in kube-system, and the masters. */
export function isSystem({ user, groups }: Pick<ClientCost, 'user' | 'groups'>): boolean {
  return (
    groups.includes('system:masters') ||
    groups.includes('system:nodes') ||
    user.startsWith('system:serviceaccount:kube-system:') ||
    (user.startsWith('system:') && !user.startsWith('system:serviceaccount:') && user !== 'system:anonymous')
  )
}

export function judgeGuard(state: GuardState, window: GuardWindow): GuardState {
  const { nowMs, lagMs, rejected, costs } = window
  const isThreatened = lagMs > LAG_MAX_MS || rejected > REJECTED_MAX
  if (!isThreatened) {
    const calmSinceMs = state.calmSinceMs ?? nowMs
    const isOver = nowMs - calmSinceMs >= GUARD_CALM_MS
    return { clients: isOver ? [] : state.clients, threatened: 0, calmSinceMs }
  }
  const threatened = state.threatened + 1
  const clients = threatened < THREATENED_MIN ? state.clients : withGreedy(state.clients, costs)
  return { clients, threatened, calmSinceMs: undefined }
}

/** Those whose share is far beyond that of the others. */
function withGreedy(known: readonly string[], costs: readonly ClientCost[]): readonly string[] {
  const total = costs.reduce((sum, { seatSeconds }) => sum + seatSeconds, 0)
  const greedy = costs
    .filter((cost) => !isSystem(cost) && total > 0 && cost.seatSeconds / total >= SHARE_MIN)
    .toSorted((a, b) => b.seatSeconds - a.seatSeconds)
    .map(({ user }) => user)
  return [...new Set([...known, ...greedy])].slice(0, CLIENTS_MAX)
}
