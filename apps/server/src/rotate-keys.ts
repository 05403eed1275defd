// A control plane's keys made anew: all of them, or the one that signs tokens.

import { createPublicKey } from 'node:crypto'
import type { Scope } from '@aksel/base/scope'
import { noRotations, type KeyRotations } from '@aksel/provider/cluster-engine'
import { createServiceAccountKey } from '@aksel/runtime/pki'
import { newKeys, type ClusterRecord } from './cluster-record.ts'

/** What the signing key before signed is believed so long. */
const OVERLAP_MS = 24 * 3_600_000

/** JSON web keys: the one that signs, and those that are believed besides. */
export function tokenKeysOf(
  { signingKey, retiredKeys = [] }: ClusterRecord,
  nowMs: number,
): readonly Readonly<Record<string, unknown>>[] {
  const believed = [signingKey, ...retiredKeys.filter(({ untilMs }) => nowMs < untilMs)]
  return believed.map(({ keyId, publicKeyPem }) => ({
    ...createPublicKey(publicKeyPem).export({ format: 'jwk' }),
    kid: keyId,
    use: 'sig',
    alg: 'ES256',
  }))
}

/** The record with new keys; the same one where so many rotations are behind it already. */
export async function withRotatedKeys(
  scope: Scope,
  record: ClusterRecord,
  wanted: KeyRotations,
): Promise<ClusterRecord> {
  const had = record.rotations ?? noRotations
  if (had.certificates !== wanted.certificates) {
    // Written out, since what is absent here would stay in the record that this is laid over.
    return { ...record, ...(await newKeys(scope, record.spec, record.index)), retiredKeys: [], rotations: wanted }
  }
  if (had.signingKeys === wanted.signingKeys) return record
  const { keyId, publicKeyPem } = record.signingKey
  const untilMs = scope.clock.now() + (record.fork?.clockOffsetMs ?? 0) + OVERLAP_MS
  // The one before that goes at once: who rotates twice is rid of a key that somebody else knows.
  const retiredKeys = [{ keyId, publicKeyPem, untilMs }]
  return { ...record, signingKey: await createServiceAccountKey(), retiredKeys, rotations: wanted }
}
