// Pod: what runs. Its spec is nearly frozen, its status belongs to the node, and it goes gracefully.

import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalidError, notSupported, required, wholeObject, type FieldError } from '../field-errors.ts'
import type { KindRules, SubresourceAction } from '../kind-row.ts'
import type { Pod, PodSpec } from '../types/core-v1.ts'
import { mirrorAnnotation, validatePodAnnotations, validateProfileAnnotations } from '../validation/pod-annotations.ts'
import { validatePodSpec } from '../validation/pod-spec.ts'
import { takeUpAppArmorAnnotations } from './pod-app-armor.ts'
import { podCells, podColumns, podRowConditions } from './pod-cells.ts'
import { setPodDefaults } from './pod-defaults.ts'
import { qosClassOf } from './pod-qos.ts'
import { keepAllButResources, validateResize } from './pod-resize.ts'
import { validatePodStatus } from './pod-status.ts'
import { validateEphemeralUpdate, validatePodUpdate } from './pod-update.ts'
import { nameWarnings, podAddresses, specWarnings } from '../warnings/pod-template.ts'
import { releasedPods } from '../validation/released-pods.ts'

type PodDraft = Draft<Pod>

/** Rules that hold however a pod is written. */
function validateAlways({ metadata, spec }: Pod): readonly FieldError[] {
  const annotations = metadata.annotations ?? {}
  const errors: FieldError[] = [
    ...validatePodAnnotations(annotations, spec, 'metadata.annotations'),
    ...validatePodSpec(spec, 'spec', { metadata }),
  ]
  if ((spec.serviceAccountName ?? '') !== '') return errors
  for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
    for (const [place, { serviceAccountToken }] of (projected?.sources ?? []).entries()) {
      const at = `spec.volumes[${index}].projected.sources[${place}].serviceAccountToken`
      if (serviceAccountToken !== undefined)
        errors.push(forbidden(at, 'must not be specified when serviceAccountName is not set'))
    }
  }
  return errors
}

function validatePod(pod: Pod): readonly FieldError[] {
  const errors: FieldError[] = [...validateAlways(pod)]
  const { metadata, spec } = pod
  if ((spec.ephemeralContainers ?? []).length > 0)
    errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'))
  if ((spec.nodeName ?? '') !== '' && (spec.schedulingGates ?? []).length > 0)
    errors.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'))
  return [...errors, ...validateProfileAnnotations(metadata.annotations ?? {}, spec, 'spec')]
}

/** A mirror of a static pod takes no visitors. */
function validateVisitors(next: Pod, old: Pod): readonly FieldError[] {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined)
    return [forbidden(wholeObject, 'static pods do not support ephemeral containers')]
  return [...validateAlways(next), ...validateEphemeralUpdate(next, old)]
}

function specOf(pod: Pod): Draft<PodSpec> {
  return draftOf(pod.spec) as Draft<PodSpec>
}

function keepStatus(next: PodDraft, old: Pod): void {
  next.status = draftOf(old.status ?? {}) as NonNullable<PodDraft['status']>
}

function countGeneration(next: PodDraft, old: Pod): void {
  if (!deepEqual(next.spec, old.spec)) next.metadata.generation = (old.metadata.generation ?? 0) + 1
}

/** The scheduler's word: once, and only for a pod that waits. */
const binding: SubresourceAction<Pod> = {
  apply(pod, body, context) {
    const target = (body['target'] ?? {}) as { readonly kind?: string; readonly name?: string }
    const errors: FieldError[] = []
    if ((target.kind ?? '') !== '' && target.kind !== 'Node')
      errors.push(notSupported('target.kind', target.kind, ['Node', '<empty>']))
    if ((target.name ?? '') === '') errors.push(required('target.name'))
    if (errors.length > 0) throw invalidError({ group: '', kind: 'Binding', name: pod.metadata.name }, errors)
    refuseBinding(pod as Pod)
    pod.spec.nodeName = target.name!
    const metadata = (body['metadata'] ?? {}) as { readonly annotations?: Readonly<Record<string, string>> }
    if (metadata.annotations !== undefined)
      pod.metadata.annotations = { ...pod.metadata.annotations, ...metadata.annotations }
    pod.status ??= {}
    const others = (pod.status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled')
    pod.status.conditions = [
      ...others,
      { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(context.nowMs) },
    ]
  },
}

function refuseBinding({ metadata, spec }: Pod): void {
  const conflict = (why: string): ApiError =>
    new ApiError('Conflict', `Operation cannot be fulfilled on pods/binding "${metadata.name}": ${why}`, {
      details: { name: metadata.name, kind: 'pods/binding' },
    })
  if (metadata.deletionTimestamp !== undefined)
    throw conflict(`pod ${metadata.name} is being deleted, cannot be assigned to a host`)
  if ((spec.nodeName ?? '') !== '')
    throw conflict(`pod ${metadata.name} is already assigned to node "${spec.nodeName}"`)
  if ((spec.schedulingGates ?? []).length > 0)
    throw conflict(`pod ${metadata.name} has non-empty .spec.schedulingGates`)
}

export const podRules: KindRules<Pod> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  generationFields: ['spec'],
  default: setPodDefaults,
  prepareForCreate(pod, context) {
    takeUpAppArmorAnnotations(pod, (sentence) => context.warn?.(sentence))
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod as Pod) }
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      pod.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ]
    }
  },
  validateCreate: validatePod,
  validateUpdate: (next, old) => [...validateAlways(next), ...validatePodUpdate(next, old)],
  // Updates are programs' business, and frequent: upstream says nothing of them either.
  warnings: ({ metadata, spec }, old) =>
    old === undefined
      ? [...nameWarnings(metadata.name, "the Pod's hostname"), ...specWarnings(spec, metadata.annotations ?? {}, '')]
      : [],
  validateRelease: releasedPods(({ spec }) => spec, 'spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec, 'spec'),
  ignoredFields: {
    status: ['metadata.deletionTimestamp', 'metadata.ownerReferences'],
    ephemeralcontainers: ['metadata', 'status'],
    resize: ['metadata', 'status'],
  },
  ownedFields: {
    ephemeralcontainers: ['spec.ephemeralContainers'],
    resize: [
      'spec.resources',
      ...['containers', 'initContainers'].flatMap((field) => [
        `spec.${field}.*.resources`,
        `spec.${field}.*.resizePolicy`,
      ]),
    ],
  },
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = specOf(old)
        if (old.metadata.ownerReferences === undefined) delete next.metadata.ownerReferences
        else
          next.metadata.ownerReferences = draftOf(old.metadata.ownerReferences) as NonNullable<
            PodDraft['metadata']['ownerReferences']
          >
        next.status ??= {}
        if ((next.status.qosClass ?? '') === '' && old.status?.qosClass !== undefined)
          next.status.qosClass = old.status.qosClass
      },
      validateUpdate: validatePodStatus,
    },
    ephemeralcontainers: {
      prepareForUpdate(next, old) {
        const added = next.spec.ephemeralContainers
        next.spec = specOf(old)
        if (added === undefined) delete next.spec.ephemeralContainers
        else next.spec.ephemeralContainers = added
        keepStatus(next, old)
        countGeneration(next, old)
      },
      validateUpdate: validateVisitors,
    },
    resize: {
      prepareForUpdate(next, old, { release }) {
        keepAllButResources(next, old, release)
        keepStatus(next, old)
        countGeneration(next, old)
      },
      validateUpdate: (next, old, { release }) => [...validateAlways(next), ...validateResize(next, old, release)],
    },
  },
  subresourceActions: { binding },
  deletion: {
    gracePeriodSeconds(pod, requestedSeconds) {
      const phase = pod.status?.phase
      // Nobody runs it: nothing to wait for.
      if ((pod.spec.nodeName ?? '') === '' || phase === 'Succeeded' || phase === 'Failed') return 0
      const seconds = requestedSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
      return seconds < 0 ? 1 : seconds
    },
  },
  columns: podColumns,
  cells: podCells,
  rowConditions: podRowConditions,
  selectableFields: ({ spec, status }) => ({
    'spec.nodeName': spec.nodeName ?? '',
    // What it was called once.
    'spec.host': spec.nodeName ?? '',
    'spec.restartPolicy': spec.restartPolicy ?? '',
    'spec.schedulerName': spec.schedulerName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? '',
    'spec.hostNetwork': String(spec.hostNetwork === true),
    'status.phase': status?.phase ?? '',
    'status.podIP': status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    // Accepted upstream, and never filled in.
    'status.podIPs': '',
    'status.nominatedNodeName': status?.nominatedNodeName ?? '',
  }),
}
