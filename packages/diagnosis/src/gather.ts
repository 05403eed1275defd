// Reads the picture from a cluster, through the Kubernetes API and with the caller's own rights: what may not be read is named,
// and nothing fails for it.

import { ApiError } from '@aksel/base/errors'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { loadBetween, readMetrics, type ApiServerLoad, type MetricsReading } from './api-server.ts'
import { emptyPicture, logKey, sources, type Picture, type SourceName, type UnreadName } from './picture.ts'
import { gatherSurroundings, type AskArm } from './surroundings.ts'

const PAGE = 500
/** Containers whose logs are read, and lines of each. */
const LOGS_MAX = 20
const LOG_LINES = 30

export interface GatherOptions {
  /** All namespaces when absent. */
  readonly namespace?: string
  readonly nowMs: number
  /** When the first certificate of a PEM text ends, ms; undefined where there is none. */
  readonly certificateEnd?: (pem: string) => number | undefined
  readonly signal?: AbortSignal
  /** Where the load of the API server is to be seen: its metrics are read twice, so long apart at least. */
  readonly load?: { readonly waitMs: number; readonly wait: (ms: number) => Promise<void> }
  /** For a cluster of Azure, by who may ask Resource Manager. */
  readonly azure?: { readonly clusterId: string; readonly ask: AskArm }
}

/** Rejects only where the cluster answers nothing at all: an ApiError of the first list, or the transport's error. */
export async function gather(client: Client, options: GatherOptions): Promise<Picture> {
  const unread = new Map<UnreadName, string>()
  const load = watchLoad(client, options, unread)
  const names = Object.keys(sources) as SourceName[]
  const lists = await Promise.all(
    names.map(async (name) => {
      try {
        return [name, await listAll(client, sources[name] as ResourceType, options)] as const
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason === 'Unauthorized') throw error
        unread.set(name, error.message)
        return [name, []] as const
      }
    }),
  )
  const picture = { ...emptyPicture(options.nowMs), ...Object.fromEntries(lists), unread } as Picture
  const { certificateEnd } = options
  const [apiServerLoad, surroundings] = await Promise.all([load, lookAround(options, picture, unread)])
  return {
    ...picture,
    ...(apiServerLoad === undefined ? {} : { apiServerLoad }),
    ...(surroundings === undefined ? {} : { surroundings }),
    logs: await readLogs(client, picture.pods),
    certificateEnds: certificateEnd === undefined ? new Map() : endsOf(picture, certificateEnd),
  }
}

async function watchLoad(
  client: Client,
  { load, signal }: GatherOptions,
  unread: Map<UnreadName, string>,
): Promise<ApiServerLoad | undefined> {
  if (load === undefined) return undefined
  const read = async (): Promise<MetricsReading | undefined> => {
    try {
      return await readMetrics(client, signal)
    } catch (error) {
      // What ends the whole look is told by the lists.
      unread.set('metrics', (error as Error).message)
      return undefined
    }
  }
  const before = await read()
  if (before === undefined) return undefined
  await load.wait(load.waitMs)
  const after = await read()
  return after === undefined ? undefined : loadBetween(before, after, load.waitMs / 1000)
}

async function lookAround(
  { azure }: GatherOptions,
  picture: Picture,
  unread: Map<UnreadName, string>,
): Promise<Picture['surroundings']> {
  if (azure === undefined) return undefined
  try {
    return await gatherSurroundings(azure.ask, azure.clusterId, picture)
  } catch (error) {
    unread.set('surroundings', (error as Error).message)
    return undefined
  }
}

async function listAll<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  { namespace, signal }: GatherOptions,
): Promise<readonly T[]> {
  const items: T[] = []
  let token: string | undefined
  do {
    const page = await client.list(type, {
      limit: PAGE,
      ...(type.namespaced && namespace !== undefined ? { namespace } : {}),
      ...(token === undefined ? {} : { continue: token }),
      ...(signal === undefined ? {} : { signal }),
    })
    // Who owns which field is of no interest, and is half of an object.
    for (const item of page.items) items.push(withoutManagers(item))
    token = page.metadata.continue === '' ? undefined : page.metadata.continue
  } while (token !== undefined)
  return items
}

function withoutManagers<T extends KubernetesObject>(item: T): T {
  if (item.metadata.managedFields === undefined) return item
  const { managedFields: _, ...metadata } = item.metadata
  return { ...item, metadata }
}

/** Of containers that ended badly or are not ready though they run: what they said last. */
async function readLogs(client: Client, pods: readonly Pod[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const wanted = pods.flatMap((pod) => troubled(pod).map((one) => ({ pod, ...one }))).slice(0, LOGS_MAX)
  const logs = new Map<string, readonly string[]>()
  await Promise.all(
    wanted.map(async ({ pod, container, previous }) => {
      const { namespace, name } = pod.metadata
      const query = new URLSearchParams({ container, tailLines: String(LOG_LINES), limitBytes: '65536' })
      if (previous) query.set('previous', 'true')
      try {
        const answer = await client.send({
          path: `/api/v1/namespaces/${namespace}/pods/${name}/log?${query.toString()}`,
        })
        const text = Buffer.from(await readBody(answer.body)).toString()
        logs.set(
          logKey(pod, container),
          text.split('\n').filter((line) => line.trim() !== ''),
        )
      } catch {
        // A log that is gone or may not be read is one piece of evidence less.
      }
    }),
  )
  return logs
}

interface Wanted {
  readonly container: string
  /** Of the run before. */
  readonly previous: boolean
}

function troubled({ status }: Pod): readonly Wanted[] {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  return all.flatMap(({ name, state, lastState, ready }): readonly Wanted[] => {
    if ((state?.terminated?.exitCode ?? 0) !== 0) return [{ container: name, previous: false }]
    if (state?.waiting !== undefined && (lastState?.terminated?.exitCode ?? 0) !== 0)
      return [{ container: name, previous: true }]
    return state?.running !== undefined && !ready ? [{ container: name, previous: false }] : []
  })
}

function endsOf(
  { secrets }: Picture,
  certificateEnd: (pem: string) => number | undefined,
): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { metadata, type, data } of secrets) {
    const encoded = data?.['tls.crt']
    if (type !== 'kubernetes.io/tls' || encoded === undefined) continue
    const end = certificateEnd(Buffer.from(encoded, 'base64').toString())
    if (end !== undefined) ends.set(`${metadata.namespace}/${metadata.name}`, end)
  }
  return ends
}
