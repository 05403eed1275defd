// Rows for people: a table of values and ratios, then what was behind them.

import type { BenchRow, Unit } from './row.ts'
import { stageNames } from './stages.ts'

export function renderTable(rows: readonly BenchRow[]): string {
  const head = ['ROW', 'VALUE', 'RATIO', 'OF', 'PROBE BEFORE', 'PROBE AFTER']
  const body = rows.map(({ name, value, unit, ratio, ratioOf, probeBefore, probeAfter }) => [
    name,
    inUnit(value, unit),
    `${significant(ratio)}×`,
    ratioOf,
    inUnit(probeBefore, unit),
    inUnit(probeAfter, unit),
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...body.map((cells) => cells[column]!.length)))
  const lines = [head, ...body].map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  return `${[...lines, '', ...behind(rows)].join('\n')}\n`
}

/** Stages and processes once for all rows that share them. */
function behind(rows: readonly BenchRow[]): readonly string[] {
  const stages = new Set(rows.map(({ details }) => stageLine(details.stages)))
  const processes = new Set(rows.flatMap(({ details }) => processLines(details['processes'])))
  const milestones = new Set(rows.flatMap(({ details }) => milestoneLine(details['milestones'])))
  const interrupted = new Set(
    rows.flatMap(({ details }) =>
      typeof details['interrupted'] === 'string' ? [`Interrupted ${details['interrupted']}.`] : [],
    ),
  )
  return [...interrupted, ...stages, ...milestones, ...processes]
}

function stageLine(stages: BenchRow['details']['stages']): string {
  const named = (ran: boolean): string => stageNames.filter((name) => stages[name].ran === ran).join(', ')
  const missing = named(false)
  return `Stages that ran: ${named(true)}${missing === '' ? '' : `; not shown: ${missing}`}`
}

function milestoneLine(milestones: unknown): readonly string[] {
  if (typeof milestones !== 'object' || milestones === null) return []
  const steps = Object.entries(milestones as Readonly<Record<string, number>>)
  return [`Steps: ${steps.map(([step, seconds]) => `${step} ${inUnit(seconds, 's')}`).join(', ')}`]
}

interface ProcessLine {
  readonly role: string
  readonly count: number
  readonly cpuSeconds: number
  readonly rssAnonBytes: number
  readonly rssFileBytes: number
}

function processLines(processes: unknown): readonly string[] {
  if (!Array.isArray(processes)) return []
  return (processes as readonly ProcessLine[]).map(
    ({ role, count, cpuSeconds, rssAnonBytes, rssFileBytes }) =>
      `${role} (${count}): ${significant(cpuSeconds)} CPU-seconds, RssAnon ${inUnit(rssAnonBytes, 'bytes')}, RssFile ${inUnit(rssFileBytes, 'bytes')}`,
  )
}

/** `0.412 s`, `183.5 MB` (a million bytes). */
export function inUnit(value: number, unit: Unit): string {
  switch (unit) {
    case 's':
      return value < 0.001 ? `${(value * 1e6).toFixed(0)} µs` : `${value.toFixed(3)} s`
    case 'bytes':
      return `${(value / 1e6).toFixed(1)} MB`
    case '/s':
      return `${Math.round(value)} /s`
    case 'bytes/s':
      return `${(value / 1e6).toFixed(1)} MB/s`
    case '×':
      return `${significant(value)}×`
    default:
      return unit satisfies never
  }
}

function significant(value: number): string {
  return String(Number(value.toPrecision(3)))
}
