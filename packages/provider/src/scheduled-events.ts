// What is about to happen to a machine, as its metadata service tells whoever runs on it.

export interface ScheduledEvent {
  readonly id: string
  /** Azure knows Freeze, Reboot, Redeploy and Terminate, too; spot evictions are all that is told here. */
  readonly type: 'Preempt'
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number
  readonly description: string
  readonly source: 'Platform' | 'User'
  /** -1: for good. */
  readonly durationSeconds: number
}

export interface ScheduledEvents {
  /** Grows with every change. */
  readonly incarnation: number
  readonly events: readonly ScheduledEvent[]
}

export const noEvents: ScheduledEvents = { incarnation: 1, events: [] }
