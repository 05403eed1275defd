// How loaded the API server is, from two readings of its metrics: counters of long ago are no trouble of now.

import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'

/** One reading, by `name{labels}`. */
export type MetricsReading = ReadonlyMap<string, number>

export interface FlowCount {
  readonly level: string
  readonly schema: string
  readonly reason: string
  readonly count: number
}

export interface ApiServerLoad {
  /** Between the readings, seconds. */
  readonly seconds: number
  /** Requests that were turned away between the readings, the most first. */
  readonly rejected: readonly FlowCount[]
  /** Requests that wait for a seat, by priority level. */
  readonly queued: readonly { readonly level: string; readonly count: number }[]
  /** Of the time, in which the event loop was held up for a quarter of a second or longer at once; undefined where the server does not tell. */
  readonly heldUpRatio: number | undefined
  /** What was asked most between the readings: `LIST pods`, with how often. */
  readonly busiest: readonly { readonly what: string; readonly count: number }[]
}

const BUSIEST_MAX = 3
const wanted =
  /^(?:apiserver_flowcontrol_rejected_requests_total|apiserver_flowcontrol_current_inqueue_requests|apiserver_request_total)\{|^aksel_event_loop_held_up_ratio /

/** Rejects with the words of the server for who may not read `/metrics`. */
export async function readMetrics(client: Client, signal?: AbortSignal): Promise<MetricsReading> {
  const answer = await client.send({ path: '/metrics', ...(signal === undefined ? {} : { signal }) })
  const text = Buffer.from(await readBody(answer.body)).toString()
  if (answer.status !== 200) throw new Error(`/metrics: ${refusalIn(text)}`)
  return parseMetrics(text)
}

function refusalIn(text: string): string {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text
  } catch {
    return text
  }
}

/** Of the text format of Prometheus only what is looked at here. */
export function parseMetrics(text: string): MetricsReading {
  const reading = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!wanted.test(line)) continue
    // A name without labels ends at the first blank.
    const end = line.includes('} ') ? line.lastIndexOf('} ') + 1 : line.indexOf(' ')
    reading.set(line.slice(0, end), Number(line.slice(end + 1).split(' ')[0]))
  }
  return reading
}

export function loadBetween(before: MetricsReading, after: MetricsReading, seconds: number): ApiServerLoad {
  const rejected: FlowCount[] = []
  const queued = new Map<string, number>()
  const asked = new Map<string, number>()
  let heldUpRatio: number | undefined
  for (const [series, value] of after) {
    const grown = value - (before.get(series) ?? 0)
    const label = (name: string): string => new RegExp(`[{,]${name}="([^"]*)"`).exec(series)?.[1] ?? ''
    if (series.startsWith('apiserver_flowcontrol_rejected') && grown > 0)
      rejected.push({
        level: label('priority_level'),
        schema: label('flow_schema'),
        reason: label('reason'),
        count: grown,
      })
    if (series.startsWith('apiserver_flowcontrol_current_inqueue') && value > 0)
      queued.set(label('priority_level'), (queued.get(label('priority_level')) ?? 0) + value)
    if (series === 'aksel_event_loop_held_up_ratio') heldUpRatio = value
    if (series.startsWith('apiserver_request_total') && grown > 0) {
      const what = `${label('verb')} ${label('resource')}`
      asked.set(what, (asked.get(what) ?? 0) + grown)
    }
  }
  return {
    seconds,
    rejected: rejected.toSorted((left, right) => right.count - left.count),
    queued: [...queued].map(([level, count]) => ({ level, count })),
    heldUpRatio,
    busiest: [...asked]
      .map(([what, count]) => ({ what, count }))
      .toSorted((left, right) => right.count - left.count)
      .slice(0, BUSIEST_MAX),
  }
}
