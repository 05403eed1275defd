// Nodes: a new one is tainted until it is ready, and a kubelet writes only its own node and its own pods.

import { deepEqual } from '@aksel/api/deep-equal'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { Node, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { ResourceSlice } from '@aksel/api/types/resource-v1'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Draft } from '@aksel/base/draft'
import type { ApiError } from '@aksel/base/errors'
import { identityOf } from '@aksel/runtime/certificate-requests'
import { nodeOf } from '../authorization/node-authorizer.ts'
import { forbiddenError } from '../refusals.ts'
import { mirrorFault } from './mirror-pods.ts'
import { concerns, type AdmissionContext, type AdmissionPlugin, type AdmissionRequest } from './admission.ts'
import { guardPodCertificate } from './pod-certificates.ts'

const notReady = 'node.kubernetes.io/not-ready'

export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: (request) => request.operation === 'CREATE' && concerns(request, '', 'nodes'),
  admit({ object }) {
    const node = object as unknown as Draft<Node>
    const taints = node.spec?.taints ?? []
    if (taints.some((taint) => taint.key === notReady && taint.effect === 'NoSchedule')) return false
    node.spec = { ...node.spec, taints: [...taints, { key: notReady, effect: 'NoSchedule' }] }
    return true
  },
}

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  handles: ({ user, row }) =>
    user.groups.includes('system:nodes') && guards[`${row.group}/${row.plural}`] !== undefined,
  validate(request, context) {
    const node = nodeOf(request.user)
    if (node === undefined) return
    return guards[`${request.row.group}/${request.row.plural}`]!(request, node, context)
  },
}

type Guard = (request: AdmissionRequest, node: string, context: AdmissionContext) => void | Promise<void>

const guards: Readonly<Record<string, Guard>> = {
  '/pods': guardPod,
  '/nodes': guardNode,
  'storage.k8s.io/csinodes': guardOwnName,
  'coordination.k8s.io/leases': guardOwnName,
  '/persistentvolumeclaims': guardClaim,
  'resource.k8s.io/resourceslices': guardSlice,
  'certificates.k8s.io/certificatesigningrequests': guardRequest,
  'certificates.k8s.io/podcertificaterequests': guardPodCertificate,
}

function refuse(request: AdmissionRequest, node: string, why: string): ApiError {
  const name = request.object?.metadata.name ?? request.name
  return forbiddenError(request.row, name, `node "${node}" ${why}`)
}

function guardPod(request: AdmissionRequest, node: string): void {
  const { operation, subresource } = request
  const object = request.object as unknown as Pod | undefined
  const old = request.old as Pod | undefined
  if (operation === 'CREATE' && subresource === '') {
    const fault = mirrorFault(object!, node)
    if (fault !== undefined) throw refuse(request, node, fault)
    return
  }
  if (operation === 'DELETE' || subresource === 'eviction') {
    if (old !== undefined && old.spec?.nodeName !== node)
      throw refuse(request, node, 'can only delete pods with spec.nodeName set to itself')
    return
  }
  if (subresource !== 'status') throw refuse(request, node, 'can only update the status of pods')
  if (old?.spec?.nodeName !== node)
    throw refuse(request, node, 'can only update pod status for pods with spec.nodeName set to itself')
  if (!deepEqual(object?.metadata.labels ?? {}, old.metadata.labels ?? {})) {
    throw refuse(request, node, 'cannot update labels through pod status')
  }
}

const allowedLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
])

/** Labels of Kubernetes' own that a kubelet may not give itself: they decide what may run there. */
function isForbiddenLabel(key: string): boolean {
  const slash = key.indexOf('/')
  const domain = slash < 0 ? '' : key.slice(0, slash)
  const isOurs = [domain, `.${domain}`].some(
    (one) => one === 'kubernetes.io' || one === 'k8s.io' || one.endsWith('.kubernetes.io') || one.endsWith('.k8s.io'),
  )
  if (!isOurs || allowedLabels.has(key)) return false
  if (domain.endsWith('node-restriction.kubernetes.io')) return true
  return !domain.endsWith('kubelet.kubernetes.io') && !domain.endsWith('node.kubernetes.io')
}

function guardNode(request: AdmissionRequest, node: string): void {
  const { operation, name, subresource } = request
  const object = request.object as unknown as Node | undefined
  const old = request.old as Node | undefined
  const named = name === '' ? object?.metadata.name : name
  if (named !== node) throw refuse(request, node, `is not allowed to modify node "${named ?? ''}"`)
  if (operation === 'DELETE') throw refuse(request, node, 'is not allowed to delete itself')
  if (object === undefined) return
  const changed = changedLabels(object, old).filter(isForbiddenLabel)
  if (changed.length > 0) {
    const verb = operation === 'CREATE' ? 'set' : 'modify'
    throw refuse(request, node, `is not allowed to ${verb} labels: ${changed.toSorted().join(', ')}`)
  }
  if (operation !== 'UPDATE' || subresource === 'status') return
  if (!deepEqual(object.spec?.taints ?? [], old?.spec?.taints ?? [])) {
    throw refuse(request, node, 'is not allowed to modify taints')
  }
}

function changedLabels(object: KubernetesObject, old: KubernetesObject | undefined): readonly string[] {
  const now = object.metadata.labels ?? {}
  const before = old?.metadata.labels ?? {}
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => now[key] !== before[key])
}

function guardOwnName(request: AdmissionRequest, node: string): void {
  const name = request.name === '' ? request.object?.metadata.name : request.name
  if (name !== node)
    throw refuse(request, node, `can only access ${request.row.plural} with the same name as the requesting node`)
}

const slicesOf = (verb: string): string =>
  `can only ${verb} ResourceSlice with the same NodeName as the requesting node`

function guardSlice(request: AdmissionRequest, node: string): void {
  const slice = (request.operation === 'CREATE' ? request.object : request.old) as unknown as ResourceSlice | undefined
  if (slice !== undefined && slice.spec.nodeName !== node)
    throw refuse(request, node, slicesOf(request.operation.toLowerCase()))
}

/** Its kubelet says how large a claim's file system has become, and nothing else of it. */
const reported: ReadonlySet<string> = new Set([
  'capacity',
  'conditions',
  'allocatedResources',
  'allocatedResourceStatuses',
])

function guardClaim(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'UPDATE' || request.subresource !== 'status')
    throw refuse(request, node, 'may only update PVC status')
  const rest = (one: KubernetesObject | undefined): unknown => {
    const { metadata, status = {}, ...others } = one as unknown as PersistentVolumeClaim
    const { managedFields: _, resourceVersion: _version, ...kept } = metadata
    const statusRest = Object.entries(status).filter(([field]) => !reported.has(field))
    return { ...others, metadata: kept, status: Object.fromEntries(statusRest) }
  }
  if (!deepEqual(rest(request.object as KubernetesObject | undefined), rest(request.old)))
    throw refuse(request, node, 'is not allowed to update fields other than status.capacity and status.conditions')
}

const nodeSigners = new Set(['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet'])

async function guardRequest(request: AdmissionRequest, node: string): Promise<void> {
  if (request.operation !== 'CREATE' || request.subresource !== '') return
  const { spec } = request.object as unknown as CertificateSigningRequest
  if (!nodeSigners.has(spec.signerName)) return
  const wanted = request.user.name
  const identity = await identityOf(Buffer.from(spec.request, 'base64').toString()).catch((error: unknown) => {
    throw refuse(request, node, `asks by what is no CSR: ${(error as Error).message}`)
  })
  if (identity.commonName !== wanted) throw refuse(request, node, `can only create a node CSR with CN=${wanted}`)
}
