// Takes requests away that are of no use any more: decided an hour ago, undecided for a day, or with a certificate that expired.

import { X509Certificate } from 'node:crypto'
import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import { ignoreReason } from '@aksel/base/errors'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { goneAtMs } from './rules.ts'

export function certificateCleaner({ client, caches }: LoopParts): Controller {
  const known = caches.of(certificateSigningRequests)
  const own: Source<CertificateSigningRequest> = {
    type: certificateSigningRequests,
    keysOf: (now) => (now === undefined ? [] : [now.metadata.name]),
  }
  return {
    name: 'certificate-cleaner',
    sources: [own],
    async reconcile(scope, key) {
      const request = known.get(key)
      const dueMs = request === undefined ? undefined : goneAtMs(request, expiryMs(request))
      if (dueMs === undefined) return done
      const leftMs = dueMs - scope.clock.now()
      if (leftMs > 0) return again(leftMs)
      const preconditions = { uid: request!.metadata.uid! }
      const gone = client.delete(certificateSigningRequests, request!.metadata, { preconditions })
      await ignoreReason('NotFound', gone)
      return done
    },
  }
}

/** When the issued certificate ends; undefined where there is none, or none that can be read. */
function expiryMs({ status }: CertificateSigningRequest): number | undefined {
  const { certificate = '' } = status ?? {}
  if (certificate === '') return undefined
  try {
    return new X509Certificate(Buffer.from(certificate, 'base64')).validToDate.getTime()
  } catch {
    return undefined
  }
}
