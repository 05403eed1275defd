// A node asks signers for certificates of its own pods, with the uids they have: a stolen node's key is worth no other's identity.

import type { PodCertificateRequest } from '@aksel/api/types/certificates-v1beta1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { KubernetesObject } from '@aksel/api/resource'
import type { ApiError } from '@aksel/base/errors'
import { conflictError, forbiddenError } from '../refusals.ts'
import type { AdmissionContext, AdmissionRequest } from './admission.ts'

const MIRROR = 'kubernetes.io/config.mirror'

/** Upstream's words. What may be a cache's lag there is a conflict: the node asks again. */
export async function guardPodCertificate(
  request: AdmissionRequest,
  node: string,
  { records, kinds }: AdmissionContext,
): Promise<void> {
  const { operation, subresource, namespace, row, name } = request
  const refuse = (why: string): ApiError => forbiddenError(row, name, why)
  const stale = (why: string): ApiError => conflictError(row, name, why)
  if (operation !== 'CREATE') throw refuse(`unexpected operation ${operation}`)
  if (subresource !== '') throw refuse(`unexpected subresource ${subresource}`)
  const { spec } = request.object as unknown as PodCertificateRequest
  const find = async (plural: string, space: string, wanted: string): Promise<KubernetesObject> => {
    const record = await records.get(kinds.find('', 'v1', plural)!, space, wanted)
    if (record === undefined)
      throw stale(`while retrieving what the PodCertificateRequest names: ${plural} "${wanted}" not found`)
    return record.object
  }
  const about = `PodCertificateRequest for pod "${namespace}/${spec.podName}"`
  if (spec.nodeName !== node) {
    throw refuse(`PodCertificateRequest.Spec.NodeName="${spec.nodeName}", which is not the requesting node "${node}"`)
  }
  const own = await find('nodes', '', node)
  if (own.metadata.uid !== spec.nodeUID) {
    throw stale(`${about} names node UID "${spec.nodeUID}", inconsistent with the running node ("${own.metadata.uid}")`)
  }
  const pod = (await find('pods', namespace, spec.podName)) as Pod
  if (pod.metadata.uid !== spec.podUID) {
    throw stale(
      `${about} contains pod UID ("${spec.podUID}") which differs from the running pod ("${pod.metadata.uid}")`,
    )
  }
  if (pod.spec.nodeName !== node) {
    throw refuse(
      `pod "${namespace}/${spec.podName}" is not running on node "${node}" named in the PodCertificateRequest`,
    )
  }
  if (pod.metadata.annotations?.[MIRROR] !== undefined)
    throw refuse(`pod "${namespace}/${spec.podName}" is a mirror pod`)
  const account = pod.spec.serviceAccountName ?? ''
  if (account !== spec.serviceAccountName) {
    throw refuse(
      `${about} contains serviceAccountName ("${spec.serviceAccountName}") that differs from running pod ("${account}")`,
    )
  }
  const { uid } = (await find('serviceaccounts', namespace, account)).metadata
  if (uid !== spec.serviceAccountUID) {
    throw stale(
      `${about} names service account UID "${spec.serviceAccountUID}", which differs from the running service account ("${uid}")`,
    )
  }
}
