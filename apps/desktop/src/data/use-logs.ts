// Logs as they are written: of a pod, or of all pods of a workload, of those that come later and of containers that start anew.

import { useEffect, useRef, useState } from 'react'
import { lineSplitter } from '../model/list-watch.ts'
import { LogBuffer, type LogLine } from '../model/log-lines.ts'
import { logSources, waitsToStart, type LogSource, type WithContainers } from '../model/log-sources.ts'
import { selectorOf } from '../model/pod-selector.ts'
import { apiPath } from '../model/resources.ts'
import { callJson, clusterCall, socketUrl } from './api.ts'
import { useCluster } from './cluster.tsx'
import { useLiveTable } from './live-table.ts'
import { readStream } from './stream.ts'
import type { KubeObject } from './use-object.ts'

const LINES_MAX = 50_000
const TAIL = 500
const PODS_MAX = 20
const PICTURE_MS = 120
const plainView = { filter: '', sort: undefined } as const

export const nameOf = ({ pod, container }: LogSource): string => `${pod}/${container}`

/** The containers of a pod; of a workload those of its pods, as pods come and containers start anew. */
export function useSources(object: KubeObject): readonly LogSource[] {
  const cluster = useCluster()
  const [sources, setSources] = useState<readonly LogSource[]>([])
  const { uid, namespace = '' } = object.metadata
  const isPod = object.kind === 'Pod'
  const selector = isPod ? '' : (selectorOf(object) ?? '')
  const pods = cluster.find('pods')
  const path = pods === undefined ? '' : `${apiPath(pods, { namespace })}?labelSelector=${encodeURIComponent(selector)}`
  const { update } = useLiveTable(isPod || path === '' ? [] : [{ cluster: cluster.key, path }], [], plainView)
  const own = isPod ? logSources([object as unknown as WithContainers], true) : []
  const seen = isPod
    ? JSON.stringify(own)
    : (update?.rows ?? []).map(({ key, cells }) => `${key} ${cells.join(' ')}`).join()
  useEffect(() => {
    if (isPod) return setSources(own)
    const stop = new AbortController()
    callJson<{ readonly items: readonly WithContainers[] }>(clusterCall(cluster.key, `${path}&limit=${PODS_MAX}`), {
      signal: stop.signal,
    }).then(
      ({ items }) => setSources(logSources(items, false)),
      () => {
        // What was followed before goes on.
      },
    )
    return () => stop.abort()
  }, [uid, path, seen])
  return sources
}

interface Followed {
  readonly buffer: LogBuffer
  /** By source and run. */
  readonly streams: Map<string, AbortController>
  /** By source: the last one counts. */
  readonly problems: Map<string, string>
}

export interface Logs {
  readonly lines: readonly LogLine[]
  readonly problems: readonly string[]
}

const nothing: Logs = { lines: [], problems: [] }

export function useLogs(namespace: string, sources: readonly LogSource[], previous: boolean): Logs {
  const cluster = useCluster()
  const [state, setState] = useState(nothing)
  const followed = useRef<Followed>(undefined)
  const scope = `${cluster.key} ${namespace} ${previous}`
  useEffect(() => {
    const streams = new Map<string, AbortController>()
    followed.current = { buffer: new LogBuffer(LINES_MAX), streams, problems: new Map() }
    setState(nothing)
    return () => {
      for (const stop of streams.values()) stop.abort()
    }
  }, [scope])
  const due = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(due.current), [])
  const key = JSON.stringify(sources)
  useEffect(() => {
    const { buffer, streams, problems } = followed.current!
    const picture = (): void => {
      due.current ??= setTimeout(() => {
        due.current = undefined
        setState({ lines: buffer.lines, problems: [...problems.values()] })
      }, PICTURE_MS)
    }
    for (const source of sources) {
      const run = JSON.stringify(source)
      if (streams.has(run)) continue
      const stop = new AbortController()
      streams.set(run, stop)
      const name = nameOf(source)
      problems.delete(name)
      // Asked for now, its log would be read twice if it began meanwhile: once more when its first run is seen.
      if (waitsToStart(source)) {
        problems.set(name, `${name}: container "${source.container}" in pod "${source.pod}" is waiting to start`)
        continue
      }
      follow(socketUrl(cluster.key, logPath(namespace, source, previous)), stop.signal, (lines) => {
        buffer.add(lines, name)
        picture()
      }).catch((error: unknown) => {
        if (stop.signal.aborted) return
        problems.set(name, `${name}: ${(error as Error).message}`)
        picture()
      })
    }
    picture()
  }, [key, scope])
  return state
}

function logPath(namespace: string, { pod, container }: LogSource, previous: boolean): string {
  const query = new URLSearchParams({
    container,
    timestamps: 'true',
    tailLines: String(TAIL),
    ...(previous ? { previous: 'true' } : { follow: 'true' }),
  })
  return `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query.toString()}`
}

function follow(url: string, signal: AbortSignal, onLines: (lines: readonly string[]) => void): Promise<void> {
  let pending: string[] = []
  const split = lineSplitter((line) => pending.push(line))
  return readStream(url, {
    signal,
    onPiece(piece) {
      split(piece)
      onLines(pending)
      pending = []
    },
  })
}
