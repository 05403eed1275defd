// What containerd tells about tasks as it happens: started, ended, out of memory, removed.

import type { GrpcClient } from './grpc.ts'

/** `execId` is empty, or the container's own id, for a container's first process. Times are milliseconds since the epoch. */
export type TaskEvent =
  | { readonly kind: 'start'; readonly containerId: string; readonly pid: number }
  | {
      readonly kind: 'exit'
      readonly containerId: string
      readonly execId: string
      readonly exitCode: number
      readonly atMs: number
    }
  | { readonly kind: 'oom'; readonly containerId: string }
  | { readonly kind: 'delete'; readonly containerId: string; readonly execId: string; readonly exitCode: number }

interface Envelope {
  readonly namespace: string
  readonly topic: string
  readonly event: { readonly typeUrl: string; readonly value: Buffer } | null
}

interface Decoded {
  readonly containerId: string
  readonly id: string
  readonly pid: number
  readonly exitStatus: number
  readonly exitedAt: Timestamp | null
}

export interface Timestamp {
  readonly seconds: number
  readonly nanos: number
}

const kinds: Readonly<Record<string, { readonly kind: TaskEvent['kind']; readonly message: string }>> = {
  '/tasks/start': { kind: 'start', message: 'containerd.events.TaskStart' },
  '/tasks/exit': { kind: 'exit', message: 'containerd.events.TaskExit' },
  '/tasks/oom': { kind: 'oom', message: 'containerd.events.TaskOOM' },
  '/tasks/delete': { kind: 'delete', message: 'containerd.events.TaskDelete' },
}

/** Task events of one containerd namespace. Events before the subscription are not repeated; throws when it breaks. */
export async function* taskEvents(
  client: GrpcClient,
  options: {
    readonly namespace: string
    readonly kinds?: readonly TaskEvent['kind'][]
    readonly signal?: AbortSignal
  },
): AsyncGenerator<TaskEvent> {
  const topics = Object.keys(kinds).filter((topic) => options.kinds?.includes(kinds[topic]!.kind) ?? true)
  const filters = topics.map((topic) => `topic=="${topic}",namespace=="${options.namespace}"`)
  const call = options.signal === undefined ? {} : { signal: options.signal }
  for await (const envelope of client.serverStream<Envelope>('Subscribe', { filters }, call)) {
    const row = kinds[envelope.topic]
    if (row === undefined || envelope.event === null) continue
    const type = client.root.lookupType(row.message)
    const fields = type.toObject(type.decode(envelope.event.value), { longs: Number, defaults: true }) as Decoded
    yield eventOf(row.kind, fields)
  }
}

function eventOf(kind: TaskEvent['kind'], fields: Decoded): TaskEvent {
  const { containerId } = fields
  switch (kind) {
    case 'start':
      return { kind, containerId, pid: fields.pid }
    case 'exit':
      return { kind, containerId, execId: fields.id, exitCode: fields.exitStatus, atMs: msOf(fields.exitedAt) }
    case 'oom':
      return { kind, containerId }
    case 'delete':
      return { kind, containerId, execId: fields.id, exitCode: fields.exitStatus }
    default:
      return kind satisfies never
  }
}

export function msOf(timestamp: Timestamp | null): number {
  return timestamp === null ? 0 : timestamp.seconds * 1000 + Math.floor(timestamp.nanos / 1e6)
}
