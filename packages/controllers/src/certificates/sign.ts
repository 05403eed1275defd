// Signs approved requests with the cluster's authority, for the built-in signers: `kubectl certificate approve` leads to a login.

import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import { identityOf, signRequest, type RequestedIdentity } from '@aksel/runtime/certificate-requests'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { KeyPair } from '@aksel/runtime/pki'
import type { LoopParts } from '../parts.ts'
import { durationMs, hasCondition, isIssued, refusal, requestPem, signers } from './rules.ts'

export interface SigningParts extends LoopParts {
  readonly authority: KeyPair
}

export function certificateSigningController({ client, caches, authority }: SigningParts): Controller {
  const known = caches.of(certificateSigningRequests)
  const own: Source<CertificateSigningRequest> = {
    type: certificateSigningRequests,
    keysOf: (now) => (now !== undefined && waits(now) ? [now.metadata.name] : []),
  }
  const write = async (
    request: CertificateSigningRequest,
    status: CertificateSigningRequest['status'],
  ): Promise<void> =>
    void (await client.update(
      certificateSigningRequests,
      { ...request, status: { ...request.status, ...status } },
      { subresource: 'status' },
    ))
  const fail = (request: CertificateSigningRequest, message: string): Promise<void> => {
    const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message }
    return write(request, { conditions: [...(request.status?.conditions ?? []), failed] })
  }
  return {
    name: 'certificate-signing',
    sources: [own],
    async reconcile(scope, key) {
      const request = known.get(key)
      if (request === undefined || !waits(request)) return done
      const { spec } = request
      const pem = requestPem(request)
      const usages = spec.usages ?? []
      let identity: RequestedIdentity
      try {
        identity = await identityOf(pem)
      } catch (error) {
        await fail(request, `unable to parse csr ${JSON.stringify(key)}: ${(error as Error).message}`)
        return done
      }
      const why = refusal(spec.signerName, identity, usages)
      if (why !== undefined) {
        await fail(request, why)
        return done
      }
      const certificate = await signRequest(scope, authority, { request: pem, usages, durationMs: durationMs(request) })
      await write(request, { certificate: Buffer.from(certificate, 'latin1').toString('base64') })
      return done
    },
  }
}

/** Approved, and nothing was decided or issued since. */
function waits(request: CertificateSigningRequest): boolean {
  return (
    (signers as readonly string[]).includes(request.spec?.signerName ?? '') &&
    hasCondition(request, 'Approved') &&
    !hasCondition(request, 'Denied', 'Failed') &&
    !isIssued(request)
  )
}
