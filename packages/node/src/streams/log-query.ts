// The options of PodLogOptions as the kubelet takes them in its query.

import { ApiError } from '@aksel/base/errors'
import type { LogFormat } from './log-lines.ts'

export interface LogQuery {
  readonly follow: boolean
  readonly previous: boolean
  readonly read: LogFormat & { readonly tailLines?: number; readonly limitBytes?: number }
}

/** Throws a BadRequest for what is no number or no time. The server has judged ranges. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const sinceMs = sinceOf(query, nowMs)
  const stream = query.get('stream')?.toLowerCase()
  const tailLines = number(query, 'tailLines')
  const limitBytes = number(query, 'limitBytes')
  return {
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    read: {
      timestamps: query.get('timestamps') === 'true',
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(tailLines === undefined ? {} : { tailLines }),
      ...(limitBytes === undefined ? {} : { limitBytes }),
      ...(stream === 'stdout' || stream === 'stderr' ? { stream } : {}),
    },
  }
}

function sinceOf(query: URLSearchParams, nowMs: number): number | undefined {
  const seconds = number(query, 'sinceSeconds')
  if (seconds !== undefined) return nowMs - seconds * 1000
  const time = query.get('sinceTime')
  if (time === null || time === '') return undefined
  const ms = Date.parse(time)
  if (Number.isNaN(ms)) throw new ApiError('BadRequest', `parsing time "${time}" as RFC 3339 failed`)
  return ms
}

function number(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null || value === '') return undefined
  if (!/^-?\d+$/.test(value)) throw new ApiError('BadRequest', `strconv.ParseInt: parsing "${value}": invalid syntax`)
  return Number(value)
}
