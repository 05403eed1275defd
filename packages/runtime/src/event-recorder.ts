// Tells people on an object's events what a loop did; the same news again only raises a count.

import { events } from '@aksel/api/resources'
import { groupVersionOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Event, ObjectReference } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'

export interface EventNews {
  /** The object that the news is about; `referenceTo` makes one. */
  readonly about: ObjectReference
  readonly type: 'Normal' | 'Warning'
  /** One word in upper camel case: `SuccessfulCreate`. */
  readonly reason: string
  readonly message: string
  /** The component that says it: `replicaset-controller`. */
  readonly source: string
  /** The node it comes from, where it comes from one. */
  readonly host?: string
  /** For machines. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** The reference that an event, or an endpoint's target, names an object by. */
export function referenceTo(type: ResourceType, object: KubernetesObject, fieldPath?: string): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata
  return {
    apiVersion: groupVersionOf(type),
    kind: type.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  }
}

/**
 * Writes an event, or raises the count of the one that says the same. Its name is made from what it says, so that no memory
 * is needed and a restart goes on counting. Never rejects: news that cannot be told are logged.
 */
export async function recordEvent(scope: Scope, client: Client, news: EventNews): Promise<void> {
  const namespace = news.about.namespace ?? 'default'
  const name = `${news.about.name}.${fingerprint(news)}`
  const now = formatTime(scope.clock.now())
  try {
    const isNew = await createOnce(client, eventOf(news, { namespace, name }, now))
    if (!isNew) await raiseCount(client, { namespace, name }, now)
  } catch (error) {
    // A namespace on its way out takes no more events.
    if (!scope.signal.aborted) scope.log.debug('an event was not recorded', { error, reason: news.reason })
  }
}

async function createOnce(client: Client, event: Event): Promise<boolean> {
  try {
    await client.create(events, event)
    return true
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return false
    throw error
  }
}

async function raiseCount(client: Client, ref: { namespace: string; name: string }, now: string): Promise<void> {
  // Who may tell news may create and patch events, not read them: a patch of nothing writes nothing and shows the event.
  const known = await client.patch(events, ref, { kind: 'merge', body: {} })
  const body = { count: (known.count ?? 1) + 1, lastTimestamp: now }
  await client.patch(events, ref, { kind: 'merge', body })
}

function eventOf(news: EventNews, place: { namespace: string; name: string }, now: string): Event {
  return {
    metadata: { ...place, ...(news.annotations === undefined ? {} : { annotations: news.annotations }) },
    involvedObject: news.about,
    reason: news.reason,
    message: news.message.slice(0, 1024),
    source: { component: news.source, ...(news.host === undefined ? {} : { host: news.host }) },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    type: news.type,
    reportingComponent: news.source,
    reportingInstance: news.host ?? '',
  }
}

/** Sixteen hexadecimal digits (two 32-bit hashes of the FNV kind) that the same news about the same object always has. */
function fingerprint({ about, type, reason, message, source, host = '' }: EventNews): string {
  const text = [about.kind, about.uid, about.fieldPath, type, reason, message, source, host].join('\u0000')
  let [one, other] = [0x811c9dc5, 0x9e3779b9]
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    one = Math.imul(one ^ code, 0x01000193)
    other = Math.imul(other ^ code, 0x85ebca6b) ^ (other >>> 15)
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}
