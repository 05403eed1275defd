// `aksel bench`: runs benchmarks by group and prints their rows, as a table or as JSON. It judges nothing: what a figure
// should be stands in docs/performance.md.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { parseBenchArguments } from '../bench/arguments.ts'
import { loadGroup } from '../bench/group.ts'
import { renderTable } from '../bench/render.ts'
import type { BenchRow } from '../bench/row.ts'
import { CommandError } from '../command-error.ts'
import type { CliOptions } from '../options.ts'

/** Returns the exit code: 0 when every group gave its rows. */
export async function runBench(options: CliOptions, args: readonly string[]): Promise<number> {
  const { groups, json, ...request } = parseBenchArguments(args)
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
  for (const name of groups) {
    const run = await loadGroup(name)
    rows.push(...(await run(scope, { ...request, options, say: (line) => void process.stderr.write(`${line}\n`) })))
  }
  process.stdout.write(json ? `${JSON.stringify(rows, undefined, 2)}\n` : renderTable(rows))
  return 0
}
