// The managed API server guard: when the server itself is late, short of memory or turning requests away and a few clients are
// why, these clients, and only these, get a small level of their own until they have been modest for a while. Pure: what was
// seen is handed in.

/** What a client of the server cost within a window. */
export interface ClientCost {
  readonly user: string
  readonly groups: readonly string[]
  /** Seats times the time for which it held them within the window. */
  readonly seatSeconds: number
  /** Its requests that were turned away. */
  readonly rejected: number
}

export interface GuardWindow {
  readonly nowMs: number
  /** How long it was. */
  readonly seconds: number
  /** How late the event loop was at most. */
  readonly lagMs: number
  /** Of the memory that the process may have, how much it has. */
  readonly heapShare: number
  readonly costs: readonly ClientCost[]
}

export const guardCauses = ['EventLoopLate', 'MemoryShort', 'RequestsRejected'] as const
export type GuardCause = (typeof guardCauses)[number]

export interface GuardState {
  /** Clients that are throttled. */
  readonly clients: readonly string[]
  /** Windows in a row in which the server was threatened. */
  readonly threatened: number
  /** Since when it is not; undefined while it is. */
  readonly calmSinceMs: number | undefined
  /** What was seen last when it was threatened. */
  readonly cause: GuardCause | undefined
}

export const calm: GuardState = { clients: [], threatened: 0, calmSinceMs: undefined, cause: undefined }

export interface GuardRules {
  /** Throttled clients are let go when the server has been calm for so long. */
  readonly calmMs: number
  readonly judge: (state: GuardState, window: GuardWindow, calmMs: number) => GuardState
}

/** Later than this, leases and elections are in danger. */
const LAG_MAX_MS = 250
/** From here on V8 does little but collect. */
const HEAP_SHARE_MAX = 0.85
/** A second. */
const REJECTED_MAX = 100
/** Windows in a row before anything is done: a single long list is no threat. */
const THREATENED_MIN = 2
/** Of all that was spent in the window. */
const SHARE_MIN = 0.25
/** Seats held on average: who asks for less is not why a server is late, however idle the others are. */
const SEATS_MIN = 2
/** A client that is throttled has few seats: who fills one of them, or is turned away so often in a second, has not learnt yet. */
const PRESSING = { seats: 1, rejected: 5 } as const
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

export function judgeGuard(state: GuardState, window: GuardWindow, calmMs = GUARD_CALM_MS): GuardState {
  const { nowMs, costs } = window
  const greedy = greedyOf(costs, window.seconds)
  const cause = causeOf(window)
  // A server that is late for another reason, such as a busy machine, is nothing that throttling a client would mend.
  const isThreatened = cause !== undefined && greedy.length > 0
  if (!isThreatened) {
    const isPressed = costs.some((cost) => state.clients.includes(cost.user) && isPressing(cost, window.seconds))
    if (isPressed) return { ...state, threatened: 0, calmSinceMs: undefined }
    const calmSinceMs = state.calmSinceMs ?? nowMs
    const isOver = nowMs - calmSinceMs >= calmMs
    return { clients: isOver ? [] : state.clients, threatened: 0, calmSinceMs, cause: state.cause }
  }
  const threatened = state.threatened + 1
  const clients =
    threatened < THREATENED_MIN ? state.clients : [...new Set([...state.clients, ...greedy])].slice(0, CLIENTS_MAX)
  return { clients, threatened, calmSinceMs: undefined, cause }
}

function causeOf({ seconds, lagMs, heapShare, costs }: GuardWindow): GuardCause | undefined {
  if (heapShare > HEAP_SHARE_MAX) return 'MemoryShort'
  if (lagMs > LAG_MAX_MS) return 'EventLoopLate'
  const rejected = costs.reduce((sum, cost) => sum + cost.rejected, 0)
  return rejected > REJECTED_MAX * seconds ? 'RequestsRejected' : undefined
}

/** Those whose share is far beyond that of the others. */
function greedyOf(costs: readonly ClientCost[], seconds: number): readonly string[] {
  const total = costs.reduce((sum, { seatSeconds }) => sum + seatSeconds, 0)
  return costs
    .filter((cost) => !isSystem(cost) && cost.seatSeconds >= SEATS_MIN * seconds)
    .filter(({ seatSeconds }) => seatSeconds / total >= SHARE_MIN)
    .toSorted((a, b) => b.seatSeconds - a.seatSeconds)
    .map(({ user }) => user)
}

function isPressing({ seatSeconds, rejected }: ClientCost, seconds: number): boolean {
  return seatSeconds >= PRESSING.seats * seconds || rejected >= PRESSING.rejected * seconds
}
