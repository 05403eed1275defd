// How many endpoints each zone should be served by, in proportion to its processors, and which zones lend some to others.

export interface Share {
  readonly desired: number
  /** With fewer, the zone's endpoints would be overloaded by more than a fifth. */
  readonly minimum: number
}

const OVERLOAD = 0.2

/** Undefined where the least that each zone needs is more than there are. */
export function sharesOf(
  zoneCpus: ReadonlyMap<string, number>,
  endpoints: number,
): ReadonlyMap<string, Share> | undefined {
  const total = [...zoneCpus.values()].reduce((sum, cpus) => sum + cpus, 0)
  const shares = new Map<string, Share>()
  let left = endpoints
  for (const [zone, cpus] of zoneCpus) {
    const desired = (cpus / total) * endpoints
    const minimum = Math.ceil(desired / (1 + OVERLOAD))
    shares.set(zone, { desired, minimum })
    left -= minimum
  }
  return left < 0 ? undefined : shares
}

/** One move for each endpoint that serves another zone than its own: from those that have most too many to those that lack most. */
export function moves(
  shares: ReadonlyMap<string, Share>,
  present: ReadonlyMap<string, number>,
): readonly { readonly from: string; readonly to: string }[] {
  const zones = [...new Set([...shares.keys(), ...present.keys()])].toSorted()
  const counts = new Map(zones.map((zone) => [zone, present.get(zone) ?? 0]))
  const desired = (zone: string): number => shares.get(zone)?.desired ?? 0
  const found: { from: string; to: string }[] = []
  while (true) {
    const from = mostOf(zones, (zone) => counts.get(zone)! - desired(zone))
    const to = mostOf(zones, (zone) => desired(zone) - counts.get(zone)!)
    if (from === undefined || to === undefined) return found
    const isWhole = counts.get(from)! - desired(from) >= 1 && desired(to) - counts.get(to)! >= 1
    // Less than a whole endpoint is moved only to a zone that would be overloaded without it.
    if (!isWhole && counts.get(to)! >= (shares.get(to)?.minimum ?? 0)) return found
    counts.set(from, counts.get(from)! - 1)
    counts.set(to, counts.get(to)! + 1)
    found.push({ from, to })
  }
}

/** The zone with the largest measure above zero; the first by name of equal ones. */
function mostOf(zones: readonly string[], measure: (zone: string) => number): string | undefined {
  let best: string | undefined
  for (const zone of zones) if (measure(zone) > (best === undefined ? 0 : measure(best))) best = zone
  return best
}
