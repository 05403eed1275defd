// The one door by which requests come in from the network, for all control planes of a thread: of those that have arrived together
// some begin in a round of the event loop, cluster by cluster and connection by connection. Where nobody has to wait it costs a
// look at the clock.

/** A control plane that has the thread to itself begins requests for so long in a round. */
const ROUND_MS = 2
/** … and so many of those that had to wait: how long they will take is not known yet. */
const LET_IN_MAX = 16
/** Requests of one control plane that begin in a round while it shares its thread. */
const SHARED_MAX = 4

interface Member {
  begun: number
  /** By connection. */
  readonly waiting: Map<object, (() => void)[]>
}

/** One control plane's way in. */
export interface Entry extends Disposable {
  /** Undefined: begin at once. `who` is the connection, compared by identity. */
  enter(who: object): Promise<void> | undefined
}

export interface EntranceOptions {
  /** Milliseconds that never go backwards. */
  readonly monotonicMs: () => number
  /** Calls back when what has arrived meanwhile was read. */
  readonly nextRound?: (work: () => void) => void
}

export class Entrance {
  readonly #members = new Set<Member>()
  readonly #monotonicMs: () => number
  readonly #nextRound: (work: () => void) => void
  readonly #round = (): void => this.#letIn()
  #sinceMs = Number.NEGATIVE_INFINITY
  /** It will be known when the round is over. */
  #isDue = false

  constructor(options: EntranceOptions) {
    this.#monotonicMs = options.monotonicMs
    this.#nextRound = options.nextRound ?? ((work) => void setImmediate(work))
  }

  join(): Entry {
    const member: Member = { begun: 0, waiting: new Map() }
    this.#members.add(member)
    return {
      enter: (who) => (this.#hasRoom(member) ? undefined : waitIn(member, who)),
      [Symbol.dispose]: () => {
        this.#members.delete(member)
        for (const line of member.waiting.values()) for (const begin of line) begin()
        member.waiting.clear()
      },
    }
  }

  #hasRoom(member: Member): boolean {
    if (this.#members.size > 1) {
      this.#arm()
      if (member.waiting.size > 0 || member.begun >= SHARED_MAX) return false
      member.begun += 1
      return true
    }
    if (member.waiting.size > 0) return false
    const nowMs = this.#monotonicMs()
    if (nowMs - this.#sinceMs < ROUND_MS) return true
    // The same round still, and its time is over; or nobody has looked since: then this is the first of a time of its own.
    if (this.#isDue) return false
    this.#sinceMs = nowMs
    this.#arm()
    return true
  }

  #letIn(): void {
    this.#isDue = false
    const isShared = this.#members.size > 1
    let isBusy = false
    for (const member of this.#members) {
      member.begun = 0
      const most = isShared ? SHARED_MAX : LET_IN_MAX
      while (member.waiting.size > 0 && member.begun < most) letInNext(member)
      if (member.begun > 0) isBusy = true
    }
    if (!isBusy) return
    this.#sinceMs = this.#monotonicMs()
    this.#arm()
  }

  #arm(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#nextRound(this.#round)
  }
}

function waitIn({ waiting }: Member, who: object): Promise<void> {
  return new Promise((resolve) => {
    const line = waiting.get(who)
    if (line === undefined) waiting.set(who, [resolve])
    else line.push(resolve)
  })
}

/** The first of whoever has waited longest since his last turn; then he is behind all others. */
function letInNext(member: Member): void {
  const [who, line] = member.waiting.entries().next().value!
  member.waiting.delete(who)
  const begin = line.shift()!
  if (line.length > 0) member.waiting.set(who, line)
  member.begun += 1
  begin()
}
