// The form of refused examples: for each kind one object that is accepted, and small changes that make it refusable, each
// with exactly what upstream says. They are run by refused.test.ts and counted in docs/coverage/kinds.md.

/** Values by path (`spec.ports.0.port`); undefined removes. */
export type Values = Readonly<Record<string, unknown>>

/** The change, every error it leads to (`field: message`), and what the stored object had besides, for updates. */
export type Refusal = readonly [change: Values, errors: string | readonly string[], stored?: Values]

export interface RefusedExamples {
  /** As row-harness.ts finds rows: `Pod`, `Event.events`. */
  readonly kind: string
  /** Accepted as it is. */
  readonly valid: unknown
  /** Each is made from `valid`. */
  readonly create: readonly Refusal[]
  /** Each changes the stored object. */
  readonly update: readonly Refusal[]
  /** Writes through `/status`; for kinds that have it. */
  readonly status?: readonly Refusal[]
  /** Writes through further subresources, by name. */
  readonly through?: Readonly<Record<string, readonly Refusal[]>>
}
