// Event: what happened to an object. Two groups serve it; both keep it as the core group's.

import { draftOf, type Draft } from '@aksel/base/draft'
import { invalid, required, type FieldError } from '../field-errors.ts'
import type { Cell, Column, KindRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import { ageOf } from '../times.ts'
import type { Event as CoreEvent } from '../types/core-v1.ts'
import type { Event as NewEvent } from '../types/events-v1.ts'
import { unchanged } from '../validation/values.ts'
import { column, nameColumn, wide } from './columns.ts'

const columns: readonly Column[] = [
  column('Last Seen', 'Time since it last happened.'),
  column('Type', 'Normal or Warning.'),
  column('Reason', 'What happened, in one word.'),
  column('Object', 'What it happened to.'),
  wide('Subobject', 'Which part of that.'),
  wide('Source', 'Who says so.'),
  column('Message', 'What happened, in a sentence.'),
  wide('First Seen', 'Time since it first happened.'),
  wide('Count', 'How often.'),
  { ...nameColumn, priority: 1 },
]

function cells(event: CoreEvent, nowMs: number): readonly Cell[] {
  const first = event.firstTimestamp ?? event.eventTime
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first
  return [
    ageOf(last, nowMs),
    event.type ?? '',
    event.reason ?? '',
    `${(event.involvedObject.kind ?? '').toLowerCase()}/${event.involvedObject.name ?? ''}`,
    event.involvedObject.fieldPath ?? '',
    sourceText(event),
    (event.message ?? '').trim(),
    ageOf(first, nowMs),
    String(event.series?.count ?? (event.count === undefined || event.count === 0 ? 1 : event.count)),
    event.metadata.name,
  ]
}

function sourceText(event: CoreEvent): string {
  const { component = '', host = '' } = event.source ?? {}
  if (component !== '') return host === '' ? component : `${component}, ${host}`
  const controller = event.reportingComponent ?? ''
  const instance = event.reportingInstance ?? ''
  return instance === '' ? controller : `${controller}, ${instance}`
}

/** Events about cluster-scoped objects lie in `default`. */
function validateNamespace(of: string, namespace: string, path: string): readonly FieldError[] {
  if (of === namespace || (of === '' && (namespace === 'default' || namespace === 'kube-system'))) return []
  return [invalid(`${path}.namespace`, of, 'does not match event.namespace')]
}

function validateCore(event: CoreEvent): readonly FieldError[] {
  return validateNamespace(event.involvedObject.namespace ?? '', event.metadata.namespace ?? '', 'involvedObject')
}

const maxLengths = { reportingController: 253, reportingInstance: 128, action: 128, reason: 128, note: 1024 } as const

function validateNew(event: NewEvent): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateNamespace(event.regarding?.namespace ?? '', event.metadata.namespace ?? '', 'regarding'),
  ]
  if ((event.eventTime ?? '') === '') errors.push(required('eventTime'))
  for (const field of ['reportingController', 'reportingInstance', 'action', 'reason'] as const) {
    if ((event[field] ?? '') === '') errors.push(required(field))
  }
  for (const [field, max] of Object.entries(maxLengths) as [keyof typeof maxLengths, number][]) {
    if ((event[field] ?? '').length > max) errors.push(invalid(field, '', `can have at most ${max} characters`))
  }
  if (event.type !== 'Normal' && event.type !== 'Warning')
    errors.push(invalid('type', '', `has invalid value: ${event.type ?? ''}`))
  return errors
}

/** Only the series of an event goes on. Field names are those that it is stored with, as upstream says them. */
const frozenFields = {
  regarding: 'involvedObject',
  reason: 'reason',
  note: 'message',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
  type: 'type',
  eventTime: 'eventTime',
  action: 'action',
  related: 'related',
  reportingController: 'reportingController',
  reportingInstance: 'reportingInstance',
} as const

function validateNewUpdate(next: NewEvent, old: NewEvent): readonly FieldError[] {
  const fields = Object.entries(frozenFields) as [keyof typeof frozenFields, string][]
  return fields.flatMap(([field, shown]) => unchanged(next[field], old[field], shown))
}

export const coreEventRules: KindRules<CoreEvent> = {
  group: '',
  version: 'v1',
  kind: 'Event',
  storagePrefix: 'events',
  allowCreateOnUpdate: true,
  validateCreate: validateCore,
  columns,
  cells,
  selectableFields: (event) => ({
    'involvedObject.kind': event.involvedObject?.kind ?? '',
    'involvedObject.namespace': event.involvedObject?.namespace ?? '',
    'involvedObject.name': event.involvedObject?.name ?? '',
    'involvedObject.uid': event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': event.involvedObject?.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component ?? event.reportingComponent ?? '',
    type: event.type ?? '',
  }),
}

/** Old name, new name. */
const renamed = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const

function rename(object: object, from: 0 | 1, groupVersion: string): Draft<KubernetesObject> {
  const output: Record<string, unknown> = { ...draftOf(object), apiVersion: groupVersion, kind: 'Event' }
  for (const pair of renamed) {
    const [old, fresh] = [pair[from], pair[from === 0 ? 1 : 0]]
    if (output[old] !== undefined) output[fresh] = output[old]
    delete output[old]
  }
  return output as unknown as Draft<KubernetesObject>
}

export const newEventRules: KindRules<NewEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  storagePrefix: 'events',
  allowCreateOnUpdate: true,
  storedAs: {
    groupVersion: 'v1',
    kind: 'Event',
    toStored(object) {
      const stored = rename(object, 1, 'v1') as Draft<KubernetesObject> & { involvedObject?: unknown }
      stored.involvedObject ??= {}
      return stored
    },
    fromStored: (stored) => rename(stored, 0, 'events.k8s.io/v1'),
  },
  validateCreate: validateNew,
  validateUpdate: validateNewUpdate,
  columns,
  cells: (event, nowMs) => cells(rename(event, 1, 'v1') as unknown as CoreEvent, nowMs),
  selectableFields: (event) => ({
    'regarding.kind': event.regarding?.kind ?? '',
    'regarding.namespace': event.regarding?.namespace ?? '',
    'regarding.name': event.regarding?.name ?? '',
    'regarding.uid': event.regarding?.uid ?? '',
    reason: event.reason ?? '',
    reportingController: event.reportingController ?? '',
    type: event.type ?? '',
  }),
}
