// The activity log over HTTP, with the filters and the choice of members that clients ask for.

import { ArmError } from '@aksel/base/errors'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { isObject } from '../body.ts'
import { eventBody } from './activity-event.ts'
import { keptMs, readEvents } from './activity-log.ts'

export function activityLogRoutes(hub: Hub): readonly Route[] {
  const categories = [
    'Administrative',
    'Security',
    'ServiceHealth',
    'Alert',
    'Recommendation',
    'Policy',
    'Autoscale',
    'ResourceHealth',
  ]
  return [
    {
      method: 'GET',
      path: '/subscriptions/:subscription/providers/Microsoft.Insights/eventtypes/management/values',
      handle: (request) => list(hub, request),
    },
    {
      method: 'GET',
      path: '/providers/Microsoft.Insights/eventcategories',
      handle: () => ok({ value: categories.map((value) => ({ value, localizedValue: value })) }),
    },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const matches = readFilter(request)
  const select = (request.query['$select'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const chosen = (body: Json): Json =>
    select.length === 0
      ? body
      : Object.fromEntries(Object.entries(body).filter(([name]) => select.includes(name.toLowerCase())))
  const events = await readEvents(hub.store, param(request, 'subscription'))
  // `id` stays for whoever shows each caller what is its own.
  return page(request, events.map(eventBody).filter(matches), chosen)
}

/** What each field of a filter is compared with. */
const fields: Readonly<Record<string, (event: Json) => unknown>> = {
  resourcegroupname: (event) => event['resourceGroupName'],
  resourceuri: (event) => event['resourceId'],
  resourceid: (event) => event['resourceId'],
  resourceprovider: (event) => valueAt(event, 'resourceProviderName'),
  resourcetype: (event) => valueAt(event, 'resourceType'),
  correlationid: (event) => event['correlationId'],
  caller: (event) => event['caller'],
  status: (event) => valueAt(event, 'status'),
  level: (event) => event['level'],
  levels: (event) => event['level'],
  category: (event) => valueAt(event, 'category'),
  operations: (event) => valueAt(event, 'operationName'),
}

function valueAt(event: Json, name: string): unknown {
  const value = event[name]
  return isObject(value) ? value['value'] : undefined
}

/** Throws BadRequest: Azure, too, takes no filter without a beginning, and none older than 90 days. */
function readFilter(request: ArmRequest): (event: Json) => boolean {
  const text = request.query['$filter'] ?? ''
  const bad = (why: string): ArmError => new ArmError(400, 'BadRequest', why)
  let [fromMs, toMs] = [Number.NaN, Number.POSITIVE_INFINITY]
  const tests: ((event: Json) => boolean)[] = []
  for (const part of text.split(/\s+and\s+/i)) {
    const match = /^\s*(\w+)\s+(eq|ge|le)\s+(?:'([^']*)'|(\S+))\s*$/i.exec(part)
    if (match === null) throw bad(`The filter '${text}' is not supported for the activity log.`)
    const [, field, operator, quoted, bare] = match as unknown as [string, string, string, string?, string?]
    const value = quoted ?? bare ?? ''
    if (field.toLowerCase() === 'eventtimestamp') {
      const ms = Date.parse(/[Zz]|[+-]\d\d:\d\d$/.test(value) ? value : `${value}Z`)
      if (Number.isNaN(ms)) throw bad(`The time '${value}' in the filter cannot be read.`)
      if (operator.toLowerCase() === 'ge') fromMs = ms
      else toMs = ms
      continue
    }
    if (field.toLowerCase() === 'eventchannels') continue
    const read = fields[field.toLowerCase()]
    if (read === undefined || operator.toLowerCase() !== 'eq')
      throw bad(`The filter '${text}' is not supported for the activity log.`)
    const wanted = value.split(',').map((each) => each.trim().toLowerCase())
    tests.push((event) => {
      const found = read(event)
      return typeof found === 'string' && wanted.includes(found.toLowerCase())
    })
  }
  if (Number.isNaN(fromMs)) throw bad("The filter names no beginning: 'eventTimestamp ge' is missing.")
  if (fromMs < request.scope.clock.now() - keptMs - 86_400_000)
    throw bad('The start time cannot be more than 90 days in the past.')
  tests.push((event) => {
    const at = Date.parse(String(event['eventTimestamp']))
    return at >= fromMs && at <= toMs
  })
  return (event) => tests.every((each) => each(event))
}
