// `aksel bench`: runs benchmarks by group and prints their rows, as a table or as JSON. It judges nothing: what a figure
// should be stands in docs/performance.md.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { parseBenchArguments } from '../bench/arguments.ts'
import { loadGroup } from '../bench/group.ts'
import { hasHeapOf, withHeapOf } from '../bench/heap.ts'
import { renderTable } from '../bench/render.ts'
import type { BenchRow } from '../bench/row.ts'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'

/** What 150,000 pods and their watchers need of one process; the target is 8 GiB for all of it. */
const CROWD_HEAP_BYTES = 7 * 1024 ** 3

/** Returns the exit code: 0 when every group gave its rows, 130 when it was interrupted; what was measured until then is printed, also where a group failed. */
export async function runBench(options: CliOptions, args: readonly string[]): Promise<number> {
  const { groups, json, ...request } = parseBenchArguments(args)
  if (request.full && groups.includes('simulated') && !hasHeapOf(CROWD_HEAP_BYTES)) return withHeapOf(CROWD_HEAP_BYTES)
  const stopping = new AbortController()
  const stop = (signal: NodeJS.Signals): void => stopping.abort(new CommandError(`Stopped by ${signal}.`, 130))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const scope: Scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog(),
    signal: stopping.signal,
  }
  const rows: BenchRow[] = []
  const { signal } = scope
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const print = (): void =>
    void process.stdout.write(json ? `${JSON.stringify(rows, undefined, 2)}\n` : renderTable(rows))
  for (const name of groups) {
    if (signal.aborted) break
    const run = await loadGroup(name)
    try {
      const found = (more: readonly BenchRow[]): void => void rows.push(...more)
      found(await run(scope, { ...request, options, say, found }))
    } catch (error) {
      if (signal.aborted && rows.length > 0) continue
      if (rows.length > 0) print()
      throw error
    }
  }
  print()
  return signal.aborted ? 130 : 0
}
