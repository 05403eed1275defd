// Approves the certificates by which nodes serve at the kubelet's port. Upstream leaves that to a person or to the platform; as AKS does it:
// a node gets one for itself, for the names and addresses that its own object has.

import { certificateSigningRequests, nodes } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { Node } from '@aksel/api/types/core-v1'
import { identityOf, type RequestedIdentity } from '@aksel/runtime/certificate-requests'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { hasCondition, isIssued, kubeletServingSigner, refusal, requestPem } from './rules.ts'

/** Whom RBAC lets approve for this signer, and for nothing else. */
export const servingApprover = 'kubelet-serving-approver'

export type ServingVerdict =
  | { readonly kind: 'approve' }
  /** The node has not yet said what it is. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'leave'; readonly why: string }

export function judgeServing(
  { spec }: CertificateSigningRequest,
  identity: RequestedIdentity,
  node: Node | undefined,
): ServingVerdict {
  const { username = '', groups = [], usages = [] } = spec
  const faulty = refusal(kubeletServingSigner, identity, usages)
  if (faulty !== undefined) return { kind: 'leave', why: faulty }
  if (username !== identity.commonName || !groups.includes('system:nodes'))
    return { kind: 'leave', why: `${username} asks for a certificate of ${identity.commonName}` }
  const addresses = node?.status?.addresses ?? []
  if (addresses.length === 0) return { kind: 'wait' }
  const ofKind = (...types: readonly string[]): ReadonlySet<string> =>
    new Set(addresses.flatMap(({ type, address }) => (types.includes(type) ? [address] : [])))
  const names = ofKind('Hostname', 'InternalDNS', 'ExternalDNS')
  const own = ofKind('InternalIP', 'ExternalIP')
  const foreign = [
    ...identity.dnsNames.filter((name) => !names.has(name)),
    ...identity.ipAddresses.filter((address) => !own.has(address)),
  ]
  return foreign.length === 0
    ? { kind: 'approve' }
    : { kind: 'leave', why: `the node does not have ${foreign.join(', ')}` }
}

/** A node that registers at this moment. */
const WAIT_MS = 1_000

export function servingApprovingController({ client, caches }: LoopParts): Controller {
  const known = caches.of(certificateSigningRequests)
  const knownNodes = caches.of(nodes)
  const isOpen = (request: CertificateSigningRequest): boolean =>
    request.spec?.signerName === kubeletServingSigner &&
    !isIssued(request) &&
    !hasCondition(request, 'Approved', 'Denied')
  const own: Source<CertificateSigningRequest> = {
    type: certificateSigningRequests,
    keysOf: (now) => (now !== undefined && isOpen(now) ? [now.metadata.name] : []),
  }
  return {
    name: 'kubelet-serving-approving',
    sources: [own, { type: nodes, keysOf: () => [] } as Source<Node> as unknown as Source<CertificateSigningRequest>],
    async reconcile(scope, key) {
      const request = known.get(key)
      if (request === undefined || !isOpen(request)) return done
      const identity = await identityOf(requestPem(request)).catch(() => undefined)
      if (identity === undefined) return done
      const node = knownNodes.get(identity.commonName.replace(/^system:node:/, ''))
      const verdict = judgeServing(request, identity, node)
      if (verdict.kind === 'wait') return again(WAIT_MS)
      if (verdict.kind === 'leave') {
        scope.log.warn('a serving certificate is not approved', { request: key, why: verdict.why })
        return done
      }
      const message = 'Auto approving kubelet serving certificate: the node has these names and addresses.'
      const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
      const conditions = [...(request.status?.conditions ?? []), approved]
      const next = { ...request, status: { ...request.status, conditions } }
      await client.update(certificateSigningRequests, next, { subresource: 'approval' })
      return done
    },
  }
}
