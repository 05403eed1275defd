// What the instance metadata service answers: who may ask, which versions there are, and what of the documents is meant. Pure.

import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { ScheduledEvents } from '@aksel/provider/scheduled-events'
import { instanceDocument, type InstanceFacts, type InterfaceFacts } from './document.ts'
import { eventVersions, FIRST_IDENTITY_VERSION, instanceVersions } from './versions.ts'

export interface MetadataQuestion {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

export interface MetadataAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Events that the asker agrees to. */
  readonly approved?: readonly string[]
  /** The question goes on to whoever keeps the machine's identities: path and query. */
  readonly passedOn?: string
}

export interface MetadataFacts {
  readonly instance: InstanceFacts
  readonly interfaces: readonly InterfaceFacts[]
  readonly events: ScheduledEvents
  readonly approved: ReadonlySet<string>
}

const NEWEST = 3
/** Which identity, and for whom. */
const identityFields = ['resource', 'client_id', 'object_id', 'msi_res_id', 'mi_res_id']

export function answerMetadata(facts: MetadataFacts, question: MetadataQuestion): MetadataAnswer {
  const url = URL.parse(question.target, 'http://169.254.169.254')
  if (url === null) return refusal(400, 'Bad request')
  const path = withoutTrailingSlashes(url.pathname)
  const isIdentity = path === '/metadata/identity/oauth2/token'
  if (question.headers['x-forwarded-for'] !== undefined)
    return refusal(400, 'Bad request. Requests must not contain the header X-Forwarded-For')
  if (String(question.headers['metadata']).toLowerCase() !== 'true') {
    const what = 'Required metadata header not specified'
    return isIdentity ? identityRefusal('bad_request_102', what) : refusal(400, `Bad request. ${what}`)
  }
  if (path === '/metadata/versions') return only('GET', question, () => json(200, { apiVersions: instanceVersions }))
  if (isIdentity || path === '/metadata/identity/info')
    return only('GET', question, () => identity(path, url.searchParams))
  if (path === '/metadata/scheduledevents') return scheduledEvents(facts, question, url.searchParams)
  if (path === '/metadata/instance' || path.startsWith('/metadata/instance/'))
    return only('GET', question, () => instance(facts, path.split('/').slice(3), url.searchParams))
  return refusal(404, 'Not found')
}

function instance(facts: MetadataFacts, steps: readonly string[], query: URLSearchParams): MetadataAnswer {
  const version = versionOf(query, instanceVersions)
  if (version === undefined) return versionRefusal(instanceVersions)
  const format = query.get('format') ?? 'json'
  if (format !== 'json' && format !== 'text')
    return refusal(400, `Bad request. The format "${format}" is not supported: json and text are`)
  let found: unknown = instanceDocument(facts.instance, facts.interfaces, version)
  for (const step of steps) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return refusal(404, 'Not found')
    found = (found as Record<string, unknown>)[step]
  }
  if (typeof found === 'string') {
    return format === 'text'
      ? { status: 200, contentType: 'text/plain; charset=utf-8', body: found }
      : refusal(400, 'Bad request. A leaf is given as text alone: format=text has to be specified')
  }
  if (format === 'json') return json(200, found)
  const isFolder = (value: unknown): boolean => typeof value === 'object'
  const lines = Object.entries(found as object).map(([name, value]) => `${name}${isFolder(value) ? '/' : ''}`)
  return { status: 200, contentType: 'text/plain; charset=utf-8', body: lines.join('\n') }
}

/** What stands if there is nobody to ask: Azure's answer for a machine without an identity. */
function identity(path: string, query: URLSearchParams): MetadataAnswer {
  const version = versionOf(query, instanceVersions)
  if (version === undefined || version < FIRST_IDENTITY_VERSION)
    return identityRefusal('bad_request', 'api-version is invalid or was not specified in the request')
  const isToken = path.endsWith('/token')
  if (isToken && (query.get('resource') ?? '') === '')
    return identityRefusal('invalid_request', 'Required audience parameter not specified')
  const known = new URLSearchParams()
  for (const name of identityFields) if (query.has(name)) known.set(name, query.get(name)!)
  const passedOn = `${path}?${known.toString()}`
  return { ...identityRefusal('invalid_request', 'Identity not found'), passedOn }
}

function scheduledEvents(facts: MetadataFacts, question: MetadataQuestion, query: URLSearchParams): MetadataAnswer {
  if (question.method !== 'GET' && question.method !== 'POST') return refusal(405, 'Method not allowed')
  const version = versionOf(query, eventVersions)
  if (version === undefined) return versionRefusal(eventVersions)
  const { incarnation, events } = facts.events
  if (question.method === 'POST') {
    const asked = startRequests(question.body)
    const isKnown = asked?.every((id) => events.some((event) => event.id === id))
    if (asked === undefined || isKnown !== true)
      return refusal(400, 'Bad request. StartRequests has to name the EventId of scheduled events')
    return { ...json(200, {}), body: '', approved: asked }
  }
  return json(200, {
    DocumentIncarnation: incarnation + facts.approved.size,
    Events: events.map((event) => {
      const isStarted = facts.approved.has(event.id)
      return {
        EventId: event.id,
        EventStatus: isStarted ? 'Started' : 'Scheduled',
        EventType: event.type,
        ResourceType: 'VirtualMachine',
        Resources: [`${version < '2017-11-01' ? '_' : ''}${facts.instance.computerName}`],
        NotBefore: isStarted ? '' : new Date(event.notBeforeMs).toUTCString(),
        ...(version < '2019-04-01' ? {} : { Description: event.description }),
        ...(version < '2019-08-01' ? {} : { EventSource: event.source }),
        ...(version < '2020-07-01' ? {} : { DurationInSeconds: event.durationSeconds }),
      }
    }),
  })
}

function startRequests(body: string): readonly string[] | undefined {
  try {
    const { StartRequests: all } = JSON.parse(body) as { StartRequests?: readonly { EventId?: unknown }[] }
    const ids = all?.map(({ EventId }) => EventId)
    return ids?.every((id) => typeof id === 'string') === true && ids.length > 0 ? (ids as string[]) : undefined
  } catch {
    return undefined
  }
}

function only(method: string, question: MetadataQuestion, work: () => MetadataAnswer): MetadataAnswer {
  return question.method === method ? work() : refusal(405, 'Method not allowed')
}

function versionOf(query: URLSearchParams, known: readonly string[]): string | undefined {
  const asked = query.getAll('api-version')
  return asked.length === 1 ? known.find((version) => version === asked[0]) : undefined
}

function versionRefusal(known: readonly string[]): MetadataAnswer {
  return json(400, {
    error: 'Bad request. api-version is invalid or was not specified in the request.',
    'newest-versions': known.slice(-NEWEST).toReversed(),
  })
}

function identityRefusal(error: string, description: string): MetadataAnswer {
  return json(400, { error, error_description: description })
}

function refusal(status: number, error: string): MetadataAnswer {
  return json(status, { error })
}

function json(status: number, value: unknown): MetadataAnswer {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(value) }
}
