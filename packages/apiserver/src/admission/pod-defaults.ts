// What pods are given at creation: tolerations of a failing node for five minutes, and a number for their priority class.

import type { Pod, Toleration } from '@aksel/api/types/core-v1'
import type { PriorityClass } from '@aksel/api/types/scheduling-v1'
import type { Draft } from '@aksel/base/draft'
import { forbiddenError } from '../refusals.ts'
import { concerns, type AdmissionContext, type AdmissionPlugin } from './admission.ts'

const TOLERATION_SECONDS = 300
const failing = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: (request) =>
    (request.operation === 'CREATE' || request.operation === 'UPDATE') && concerns(request, '', 'pods'),
  admit({ object }) {
    const { spec } = object as unknown as Draft<Pod>
    if (spec === undefined) return false
    const present = (spec.tolerations ?? []) as readonly Toleration[]
    const missing = failing.filter((key) => !present.some((one) => tolerates(one, key)))
    if (missing.length === 0) return false
    const added = missing.map((key) => ({
      key,
      operator: 'Exists' as const,
      effect: 'NoExecute' as const,
      tolerationSeconds: TOLERATION_SECONDS,
    }))
    spec.tolerations = [...present, ...added]
    return true
  },
}

function tolerates(toleration: Toleration, key: string): boolean {
  const fitsKey = toleration.key === key || toleration.key === undefined || toleration.key === ''
  return (
    fitsKey &&
    (toleration.effect === 'NoExecute' || toleration.effect === undefined || (toleration.effect as string) === '')
  )
}

export const priority: AdmissionPlugin = {
  name: 'Priority',
  handles: (request) =>
    (request.operation === 'CREATE' || request.operation === 'UPDATE') &&
    (concerns(request, '', 'pods') || concerns(request, 'scheduling.k8s.io', 'priorityclasses')),
  async validate(request, context) {
    const made = request.object as unknown as PriorityClass
    if (request.row.plural !== 'priorityclasses' || made.globalDefault !== true) return
    const known = await classOf(context, '')
    if (known === undefined || (request.operation === 'UPDATE' && known.metadata.name === made.metadata.name)) return
    const text = `PriorityClass ${known.metadata.name} is already marked as default. Only one default can exist`
    throw forbiddenError(request.row, made.metadata.name, text)
  },
  async admit(request, context) {
    if (request.row.plural !== 'pods') return false
    const pod = request.object as unknown as Draft<Pod>
    if (pod.spec === undefined) return false
    if (request.operation === 'UPDATE') return keepPriority(pod, request.old as Pod)
    const asked = pod.spec.priorityClassName ?? ''
    const found = await classOf(context, asked)
    if (asked !== '' && found === undefined) {
      throw forbiddenError(request.row, pod.metadata.name ?? '', `no PriorityClass with name ${asked} was found`)
    }
    const value = found?.value ?? 0
    if (pod.spec.priority !== undefined && pod.spec.priority !== value) {
      throw forbiddenError(
        request.row,
        pod.metadata.name ?? '',
        `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      )
    }
    const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority'
    if (pod.spec.preemptionPolicy !== undefined && pod.spec.preemptionPolicy !== policy) {
      throw forbiddenError(
        request.row,
        pod.metadata.name ?? '',
        `the string value of PreemptionPolicy (${pod.spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      )
    }
    if (asked === '' && found !== undefined) pod.spec.priorityClassName = found.metadata.name
    pod.spec.priority = value
    pod.spec.preemptionPolicy = policy
    return true
  },
}

/** Clients that send a pod as they made it do not know its priority. */
function keepPriority(pod: Draft<Pod>, old: Pod): boolean {
  const { priority: value, preemptionPolicy, priorityClassName } = old.spec ?? {}
  const spec = pod.spec!
  if (spec.priority === undefined && value !== undefined) spec.priority = value
  if (spec.preemptionPolicy === undefined && preemptionPolicy !== undefined) spec.preemptionPolicy = preemptionPolicy
  if (spec.priorityClassName === undefined && priorityClassName !== undefined)
    spec.priorityClassName = priorityClassName
  return true
}

async function classOf({ records, kinds }: AdmissionContext, name: string): Promise<PriorityClass | undefined> {
  const row = kinds.find('scheduling.k8s.io', 'v1', 'priorityclasses')
  if (row === undefined) return undefined
  if (name !== '') return (await records.get(row, '', name))?.object as PriorityClass | undefined
  const all = (await records.list(row)).map((record) => record.object as PriorityClass)
  return all.filter((one) => one.globalDefault === true).toSorted((a, b) => a.value - b.value)[0]
}
