// Maintenance configurations of a cluster: three names, judged and kept. The two of AKS's own schedules bound what channels begin;
// `default` bounds releases of the service, of which there are none here, and its answer says so.

import { badRequest, invalidParameter, missingParameter, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { recordedHeaders } from './bodies.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readCluster } from './cluster-store.ts'
import { readShape, type Shape } from './shape.ts'
import { fields, list } from './shape-parts.ts'

const type = 'Microsoft.ContainerService/managedClusters/maintenanceConfigurations'
const path = `${clusterPath}/maintenanceConfigurations`
const names = ['default', 'aksManagedAutoUpgradeSchedule', 'aksManagedNodeOSUpgradeSchedule'] as const
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

const shape: Shape = fields({
  timeInWeek: list(fields({ day: 'string', hourSlots: list('int') })),
  notAllowedTime: list(fields({ start: 'string', end: 'string' })),
  maintenanceWindow: fields({
    schedule: fields({
      daily: fields({ intervalDays: 'int' }),
      weekly: fields({ intervalWeeks: 'int', dayOfWeek: 'string' }),
      absoluteMonthly: fields({ intervalMonths: 'int', dayOfMonth: 'int' }),
      relativeMonthly: fields({ intervalMonths: 'int', weekIndex: 'string', dayOfWeek: 'string' }),
    }),
    durationHours: 'int',
    utcOffset: 'string',
    startDate: 'string',
    startTime: 'string',
    notAllowedDates: list(fields({ start: 'string', end: 'string' })),
  }),
})

interface MaintenanceRecord {
  readonly kind: 'maintenance'
  readonly id: string
  readonly name: string
  readonly type: string
  readonly properties: Json
}

export function maintenanceRoutes(hub: Hub): readonly Route[] {
  const one = `${path}/:configuration`
  return [
    { method: 'GET', path, handle: (request) => all(hub, request) },
    { method: 'GET', path: one, handle: (request) => read(hub, request) },
    { method: 'PUT', path: one, handle: (request) => put(hub, request) },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
  ]
}

async function idOf(hub: Hub, request: ArmRequest, name = param(request, 'configuration')): Promise<string> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  return `${value.id}/maintenanceConfigurations/${name}`
}

function bodyOf(record: MaintenanceRecord): MaintenanceBody {
  const { kind: _, ...configuration } = record
  return configuration
}

type MaintenanceBody = Omit<MaintenanceRecord, 'kind'>

async function all(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  const stored = await hub.store.list<MaintenanceRecord>(keys.below(`${value.id}/maintenanceConfigurations`))
  return page(
    request,
    stored.map((configuration) => bodyOf(configuration.value)),
  )
}

async function read(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const stored = await hub.store.get<MaintenanceRecord>(keys.resource(await idOf(hub, request)))
  if (stored !== undefined) return ok(bodyOf(stored.value))
  throw resourceNotFound(`${type}/${param(request, 'configuration')}`, param(request, 'group'))
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = names.find((known) => known.toLowerCase() === param(request, 'configuration').toLowerCase())
  if (name === undefined) {
    throw badRequest(
      `Maintenance configuration name '${param(request, 'configuration')}' is not allowed. The allowed names are: ${names.join(', ')}.`,
    )
  }
  const given = readShape(
    readObject(request.body)['properties'] ?? {},
    shape,
    'MaintenanceConfiguration.properties',
  ) as Json
  judge(name, given)
  const id = await idOf(hub, request, name)
  return hub.store.decide(async () => {
    const current = await hub.store.get<MaintenanceRecord>(keys.resource(id))
    const window = objectAt(given, 'maintenanceWindow')
    const complete = isObject(given['maintenanceWindow'])
      ? { maintenanceWindow: { utcOffset: '+00:00', ...window } }
      : {}
    const record: MaintenanceRecord = { kind: 'maintenance', id, name, type, properties: { ...given, ...complete } }
    return {
      changes: [{ kind: 'put', key: keys.resource(id), value: record, expected: current?.modRevision ?? 0 }],
      result: {
        status: current === undefined ? 201 : 200,
        body: bodyOf(record),
        headers: recordedHeaders(name === 'default' ? ['maintenanceConfigurations.default'] : []),
      },
    }
  })
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const stored = await hub.store.get<MaintenanceRecord>(keys.resource(await idOf(hub, request)))
  if (stored === undefined) return { status: 204 }
  await hub.store.commit([{ kind: 'delete', key: stored.key, expected: stored.modRevision }])
  return { status: 200 }
}

function judge(name: (typeof names)[number], given: Json): void {
  const window = given['maintenanceWindow']
  if (!isObject(window)) {
    if (name === 'default' && Array.isArray(given['timeInWeek'])) return judgeWeek(given['timeInWeek'])
    throw missingParameter(name === 'default' ? 'properties.timeInWeek' : 'properties.maintenanceWindow')
  }
  const at = (path: string): string => `properties.maintenanceWindow.${path}`
  judgeSchedule(name, objectAt(window, 'schedule'))
  between(at('durationHours'), window['durationHours'], 4, 24)
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(textAt(window, 'startTime') ?? ''))
    throw invalidParameter(at('startTime'), `'${String(textAt(window, 'startTime'))}' is not a time of the form HH:mm`)
  if (!/^[+-]\d\d:\d\d$/.test(textAt(window, 'utcOffset') ?? '+00:00'))
    throw invalidParameter(at('utcOffset'), 'an offset of the form +HH:mm is wanted')
  const dates = (window['notAllowedDates'] ?? []) as readonly Json[]
  if (dates.some(({ start, end }) => !(Date.parse(String(start)) <= Date.parse(String(end)))))
    throw invalidParameter(at('notAllowedDates'), 'each needs a start that does not lie after its end')
}

function judgeWeek(week: readonly unknown[]): void {
  const slots = week.flatMap((day) => (isObject(day) ? [day] : []))
  const hours = slots.flatMap((slot) => (slot['hourSlots'] ?? []) as readonly number[])
  if (slots.some((slot) => !days.includes(String(textAt(slot, 'day')))) || hours.some((hour) => hour < 0 || hour > 23))
    throw invalidParameter('properties.timeInWeek', 'each needs a day of the week and hours from 0 to 23')
}

function judgeSchedule(name: (typeof names)[number], schedule: Json): void {
  const kinds = Object.keys(schedule)
  const at = 'properties.maintenanceWindow.schedule'
  if (kinds.length !== 1) throw invalidParameter(at, `exactly one schedule is wanted, not ${kinds.length}`)
  if (name === 'default' && kinds[0] !== 'weekly')
    throw invalidParameter(at, `maintenance configuration 'default' takes a weekly schedule alone, not '${kinds[0]}'`)
  const of = objectAt(schedule, kinds[0]!)
  const bounds: Readonly<Record<string, readonly [name: string, most: number]>> = {
    daily: ['intervalDays', 7],
    weekly: ['intervalWeeks', 4],
    absoluteMonthly: ['intervalMonths', 6],
    relativeMonthly: ['intervalMonths', 6],
  }
  const bound = bounds[kinds[0]!]
  if (bound === undefined) throw invalidParameter(at, `'${kinds[0]}' is not a schedule`)
  between(`${at}.${kinds[0]}.${bound[0]}`, of[bound[0]], 1, bound[1])
  if (kinds[0] === 'absoluteMonthly') between(`${at}.absoluteMonthly.dayOfMonth`, of['dayOfMonth'], 1, 31)
  if (/^(weekly|relativeMonthly)$/.test(kinds[0]!) && !days.includes(String(textAt(of, 'dayOfWeek'))))
    throw invalidParameter(`${at}.${kinds[0]}.dayOfWeek`, `one of ${days.join(', ')} is wanted`)
  if (kinds[0] === 'relativeMonthly' && !/^(First|Second|Third|Fourth|Last)$/.test(String(textAt(of, 'weekIndex'))))
    throw invalidParameter(`${at}.relativeMonthly.weekIndex`, 'one of First, Second, Third, Fourth, Last is wanted')
}

function between(name: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  throw invalidParameter(name, `${JSON.stringify(value)} is out of range, it must be in the range [${least}, ${most}]`)
}
