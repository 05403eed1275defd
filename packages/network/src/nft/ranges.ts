// Ranges of either family as interval sets take them: none within another, and what is left of one without others.

import { formatIp, formatRange, parseRange, rangeContains, sizeOfRange } from '@aksel/base/ip-range'
import type { IpFamily, IpRange } from '@aksel/base/ip-range'

/** Those of the family that no other one holds: an interval set refuses rows that overlap. */
export function withoutNested(texts: readonly string[], family: IpFamily): readonly string[] {
  const ranges = texts.map(parseRange).filter((range) => range?.family === family) as IpRange[]
  const kept: IpRange[] = []
  for (const range of ranges.toSorted((a, b) => a.prefix - b.prefix)) {
    if (!kept.some((wider) => rangeContains(wider, range))) kept.push(range)
  }
  return kept.map(formatRange)
}

/** What is left of a range without others of its family, as intervals `first-last` (one address alone without the dash), in order. */
export function intervalsWithout(range: IpRange, excepts: readonly IpRange[]): readonly string[] {
  const { family } = range
  const intervals: string[] = []
  const end = range.first + sizeOfRange(range)
  let from = range.first
  const textOf = (value: bigint): string => formatIp({ family, value })
  const add = (to: bigint): void => {
    if (to > from) intervals.push(to - from === 1n ? textOf(from) : `${textOf(from)}-${textOf(to - 1n)}`)
  }
  const own = excepts.filter((except) => except.family === family)
  for (const except of own.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const exceptEnd = except.first + sizeOfRange(except)
    if (exceptEnd <= from) continue
    if (except.first >= end) break
    add(except.first)
    from = exceptEnd
  }
  add(end)
  return intervals
}
