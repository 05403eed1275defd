// PodSecurity: pods are held to the standard that their namespace's labels name; workloads are warned of.

import { invalidError } from '@aksel/api/field-errors'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { deepEqual } from '@aksel/api/deep-equal'
import { forbiddenError } from '../../refusals.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest } from '../admission.ts'
import { namespaceOf } from '../dynamic/matching.ts'
import { describe, showLevel, violationsOf, type LevelVersion } from './evaluate.ts'
import { isSame, isStricter, policyOf, type Policy } from './policy.ts'
import type { CheckedPod } from './words.ts'

const ignored: ReadonlySet<string> = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
])

/** Where the template of a workload is. */
const templates: Readonly<Record<string, readonly string[]>> = {
  '/podtemplates': ['template'],
  '/replicationcontrollers': ['spec', 'template'],
  'apps/replicasets': ['spec', 'template'],
  'apps/deployments': ['spec', 'template'],
  'apps/statefulsets': ['spec', 'template'],
  'apps/daemonsets': ['spec', 'template'],
  'batch/jobs': ['spec', 'template'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template'],
}

const keyPrefix = 'pod-security.kubernetes.io/'
/** As many pods of a namespace are looked at when its labels change. */
const podsMax = 3000

export const podSecurity: AdmissionPlugin = {
  name: 'PodSecurity',
  handles({ operation, row, subresource }) {
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false
    const key = `${row.group}/${row.plural}`
    if (key === '/pods') return !ignored.has(subresource)
    return subresource === '' && (key === '/namespaces' || templates[key] !== undefined)
  },
  async validate(request, context) {
    const { row } = request
    if (row.plural === 'namespaces') return judgeNamespace(request, context)
    const namespace = await namespaceOf(request.namespace, context)
    const { policy, errors } = policyOf(namespace?.metadata.labels)
    if (errors.length > 0) {
      request.annotations?.set(
        `${keyPrefix}error`,
        `Failed to parse policy: ${errors.map(({ field, message }) => `${field}: ${message}`).join(', ')}`,
      )
    }
    if (row.plural === 'pods') return judgePod(request, context, policy)
    const template = templateOf(request)
    if (template !== undefined) noteAndWarn(request, context, policy, template)
  },
}

function templateOf({ row, object }: AdmissionRequest): CheckedPod | undefined {
  let at: unknown = object
  for (const key of templates[`${row.group}/${row.plural}`]!) at = (at as Record<string, unknown> | undefined)?.[key]
  const { metadata = {}, spec } = (at ?? {}) as { metadata?: CheckedPod['metadata']; spec?: CheckedPod['spec'] }
  return spec === undefined ? undefined : { metadata, spec }
}

function newestMinor({ schemas }: AdmissionContext): number {
  return Number(schemas.tables.release.split('.')[1])
}

function judgePod(request: AdmissionRequest, context: AdmissionContext, policy: Policy): void {
  const pod = request.object as unknown as Pod
  if (request.operation === 'UPDATE' && !isSignificant(pod, request.old as Pod)) return
  const { enforce } = policy
  if (enforce.level === 'privileged' && policy.audit.level === 'privileged' && policy.warn.level === 'privileged')
    return
  request.annotations?.set(`${keyPrefix}enforce-policy`, showLevel(enforce))
  const violations = violationsOf(enforce, pod, newestMinor(context))
  if (violations.length > 0) {
    note(request, context, policy.audit, pod)
    const text = `violates PodSecurity "${showLevel(enforce)}": ${describe(violations)}`
    throw forbiddenError(request.row, pod.metadata.name ?? request.name, text)
  }
  noteAndWarn(request, context, policy, pod)
}

function noteAndWarn(request: AdmissionRequest, context: AdmissionContext, policy: Policy, pod: CheckedPod): void {
  note(request, context, policy.audit, pod)
  const violations = violationsOf(policy.warn, pod, newestMinor(context))
  if (violations.length === 0) return
  request.warnings.add(`would violate PodSecurity "${showLevel(policy.warn)}": ${describe(violations)}`)
}

function note(request: AdmissionRequest, context: AdmissionContext, audit: LevelVersion, pod: CheckedPod): void {
  const violations = violationsOf(audit, pod, newestMinor(context))
  if (violations.length === 0) return
  const text = `would violate PodSecurity "${showLevel(audit)}": ${describe(violations)}`
  request.annotations?.set(`${keyPrefix}audit-violations`, text)
}

/** Only images and added containers can change what a running pod may do. */
function isSignificant(pod: Pod, old: Pod): boolean {
  const images = (containers: readonly Pick<Container, 'image' | 'name'>[] | undefined): unknown =>
    (containers ?? []).map(({ image }) => image)
  const before = new Map((old.spec.ephemeralContainers ?? []).map(({ name, image }) => [name, image]))
  return (
    !deepEqual(images(pod.spec.containers), images(old.spec.containers)) ||
    !deepEqual(images(pod.spec.initContainers), images(old.spec.initContainers)) ||
    (pod.spec.ephemeralContainers ?? []).some(({ name, image }) => !before.has(name) || before.get(name) !== image)
  )
}

async function judgeNamespace(request: AdmissionRequest, context: AdmissionContext): Promise<void> {
  const { object, old, row } = request
  const { policy, errors } = policyOf(object!.metadata.labels)
  const before = policyOf(old?.metadata.labels)
  if (errors.length > 0 && (old === undefined || !deepEqual(errors, before.errors))) {
    throw invalidError({ group: row.group, kind: row.kind, name: object!.metadata.name }, errors)
  }
  if (old === undefined) return
  const [now, then] = [policy.enforce, before.policy.enforce]
  if (isSame(now, then) || now.level === 'privileged') return
  if (now.minor === then.minor && !isStricter(now.level, then.level)) return
  for (const warning of await warningsOfPods(object!.metadata.name, now, context)) request.warnings.add(warning)
}

async function warningsOfPods(
  namespace: string,
  enforce: LevelVersion,
  context: AdmissionContext,
): Promise<readonly string[]> {
  const all = await context.records.list(context.kinds.find('', 'v1', 'pods')!, namespace)
  const checked = all.slice(0, podsMax)
  const byText = new Map<string, string[]>()
  for (const { object } of checked) {
    const violations = violationsOf(enforce, object as Pod, newestMinor(context))
    if (violations.length === 0) continue
    // Upstream names the reasons alone here.
    const text = violations.map(({ reason }) => reason).join(', ')
    byText.set(text, [...(byText.get(text) ?? []), object.metadata.name])
  }
  const warnings: string[] = []
  if (checked.length < all.length) {
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${checked.length} of ${all.length} existing pods`,
    )
  }
  if (byText.size > 0) {
    warnings.push(
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${showLevel(enforce)}"`,
    )
  }
  const lines = [...byText].map(([text, names]) => {
    const [first] = names.toSorted()
    const others = names.length - 1
    const more = others === 0 ? '' : ` (and ${others} other ${others === 1 ? 'pod' : 'pods'})`
    return `${first!}${more}: ${text}`
  })
  return [...warnings, ...lines.toSorted()]
}
