// Approves the certificates that nodes ask for, where RBAC lets the requester have one without a person's consent.

import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { Client } from '@aksel/client/client'
import { identityOf } from '@aksel/runtime/certificate-requests'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { postJson } from '../discovery.ts'
import type { LoopParts } from '../parts.ts'
import { hasCondition, isIssued, kubeletClientSigner, recognitions, requestPem } from './rules.ts'

const reviews = '/apis/authorization.k8s.io/v1/subjectaccessreviews'

export function certificateApprovingController({ client, caches }: LoopParts): Controller {
  const known = caches.of(certificateSigningRequests)
  const own: Source<CertificateSigningRequest> = {
    type: certificateSigningRequests,
    keysOf: (now) => (now !== undefined && isOpen(now) ? [now.metadata.name] : []),
  }
  return {
    name: 'certificate-approving',
    sources: [own],
    async reconcile(_scope, key) {
      const request = known.get(key)
      if (request === undefined || !isOpen(request)) return done
      const identity = await identityOf(requestPem(request)).catch(() => undefined)
      if (identity === undefined) return done
      for (const { subresource, message } of recognitions(request, identity)) {
        if (!(await isAllowed(client, request, subresource))) continue
        const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
        const conditions = [...(request.status?.conditions ?? []), approved]
        const next = { ...request, status: { ...request.status, conditions } }
        await client.update(certificateSigningRequests, next, { subresource: 'approval' })
        break
      }
      return done
    },
  }
}

function isOpen(request: CertificateSigningRequest): boolean {
  return (
    request.spec?.signerName === kubeletClientSigner &&
    !isIssued(request) &&
    !hasCondition(request, 'Approved', 'Denied')
  )
}

async function isAllowed(client: Client, { spec }: CertificateSigningRequest, subresource: string): Promise<boolean> {
  const { username, uid, groups, extra } = spec
  const body = {
    kind: 'SubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    spec: {
      ...(username === undefined ? {} : { user: username }),
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      resourceAttributes: {
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        verb: 'create',
        version: '*',
        subresource,
      },
    },
  }
  const answer = (await postJson(client, reviews, body)) as { readonly status?: { readonly allowed?: boolean } }
  return answer.status?.allowed === true
}
