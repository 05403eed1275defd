// RuntimeClass: a pod that names one pays its overhead and is placed where it can run.

import type { Pod } from '@aksel/api/types/core-v1'
import type { RuntimeClass } from '@aksel/api/types/node-v1'
import { deepEqual } from '@aksel/api/deep-equal'
import { draftOf, type Draft } from '@aksel/base/draft'
import { compareQuantities, parseQuantity } from '@aksel/base/quantity'
import { forbiddenError } from '../refusals.ts'
import { concerns, type AdmissionContext, type AdmissionPlugin, type AdmissionRequest } from './admission.ts'

type Amounts = Readonly<Record<string, string | number>>

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  handles: (request) => request.operation === 'CREATE' && concerns(request, '', 'pods'),
  async admit(request, context) {
    const pod = request.object as unknown as Draft<Pod>
    const found = await classOf(request, context)
    if (found === undefined) return false
    const overhead = setOverhead(request, pod, found)
    return setScheduling(request, pod, found) || overhead
  },
  async validate(request, context) {
    const { overhead } = (request.object as unknown as Pod).spec
    const defined = (await classOf(request, context))?.overhead?.podFixed
    if (defined !== undefined) {
      if (isSameAmount(overhead, defined)) return
      throw refuse(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    }
    if (Object.keys(overhead ?? {}).length > 0) {
      throw refuse(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead')
    }
  },
}

function refuse(request: AdmissionRequest, text: string): Error {
  return forbiddenError(request.row, request.object?.metadata.name ?? request.name, text)
}

async function classOf(
  request: AdmissionRequest,
  { records, kinds }: AdmissionContext,
): Promise<RuntimeClass | undefined> {
  const { runtimeClassName: name } = (request.object as unknown as Pod).spec
  if (name === undefined) return undefined
  const record = await records.get(kinds.find('node.k8s.io', 'v1', 'runtimeclasses')!, '', name)
  if (record === undefined) throw refuse(request, `pod rejected: RuntimeClass "${name}" not found`)
  return record.object as RuntimeClass
}

function isSameAmount(one: Amounts | undefined, other: Amounts): boolean {
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other)])
  return [...names].every(
    (name) =>
      one?.[name] !== undefined &&
      other[name] !== undefined &&
      compareQuantities(parseQuantity(one[name]), parseQuantity(other[name])) === 0,
  )
}

function setOverhead(request: AdmissionRequest, pod: Draft<Pod>, { overhead }: RuntimeClass): boolean {
  if (overhead?.podFixed === undefined) return false
  if (pod.spec.overhead === undefined) {
    pod.spec.overhead = draftOf(overhead.podFixed)
    return true
  }
  if (isSameAmount(pod.spec.overhead, overhead.podFixed)) return false
  throw refuse(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}

function setScheduling(request: AdmissionRequest, pod: Draft<Pod>, { scheduling }: RuntimeClass): boolean {
  if (scheduling === undefined) return false
  const { spec } = pod
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key]
    if (own !== undefined && own !== value) {
      const text = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`
      throw refuse(request, text)
    }
  }
  if (scheduling.nodeSelector !== undefined) spec.nodeSelector = { ...spec.nodeSelector, ...scheduling.nodeSelector }
  const known = spec.tolerations ?? []
  const more = (scheduling.tolerations ?? []).filter((one) => !known.some((own) => deepEqual(own, one)))
  if (more.length > 0) spec.tolerations = [...known, ...draftOf(more)]
  return true
}
