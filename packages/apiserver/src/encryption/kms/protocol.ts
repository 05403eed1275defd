// What a key management service is asked, as upstream's KMS v2 defines it (kmsapi/v2): the calls, and what their answers may be.

import { createHash } from 'node:crypto'

/** Package, service and field numbers are upstream's. */
export const kmsProto = `
syntax = "proto3";
package v2;
service KeyManagementService {
  rpc Status(StatusRequest) returns (StatusResponse);
  rpc Decrypt(DecryptRequest) returns (DecryptResponse);
  rpc Encrypt(EncryptRequest) returns (EncryptResponse);
}
message StatusRequest { }
message StatusResponse { string version = 1; string healthz = 2; string key_id = 3; }
message DecryptRequest { bytes ciphertext = 1; string uid = 2; string key_id = 3; map<string, bytes> annotations = 4; }
message DecryptResponse { bytes plaintext = 1; }
message EncryptRequest { bytes plaintext = 1; string uid = 2; }
message EncryptResponse { bytes ciphertext = 1; string key_id = 2; map<string, bytes> annotations = 3; }
`

export type Annotations = Readonly<Record<string, Uint8Array>>

export interface KmsStatus {
  readonly version: string
  /** `ok`, or what is wrong. */
  readonly healthz: string
  /** Of the key that would be used now. */
  readonly keyId: string
}

export interface SealedSeed {
  readonly ciphertext: Uint8Array
  readonly keyId: string
  readonly annotations: Annotations
}

/** Each call rejects with a KmsError, whose message is gRPC's; `uid` tells one call from another in the service's log. */
export interface KmsService extends Disposable {
  status(): Promise<KmsStatus>
  encrypt(uid: string, plaintext: Uint8Array): Promise<SealedSeed>
  decrypt(uid: string, sealed: SealedSeed): Promise<Uint8Array>
}

export class KmsError extends Error {
  /** The service could not be reached or did not answer in time: it may, later. */
  readonly isTransient: boolean

  constructor(message: string, isTransient: boolean, cause?: unknown) {
    super(message, { cause })
    this.name = 'KmsError'
    this.isTransient = isTransient
  }
}

const VALUE_MAX_BYTES = 1024
const ANNOTATIONS_MAX_BYTES = 32 * 1024

/** What is wrong with it, in upstream's words. */
export function keyIdFault(keyId: string): string | undefined {
  const { length } = Buffer.from(keyId)
  if (length === 0) return 'keyID is empty'
  if (length > VALUE_MAX_BYTES) return `keyID is ${length} bytes, which exceeds the max size of ${VALUE_MAX_BYTES}`
  return undefined
}

/** What is wrong with an answer to Encrypt, or with what was stored of one, in upstream's words. */
export function sealedSeedFault({ ciphertext, keyId, annotations }: SealedSeed): string | undefined {
  const { length } = ciphertext
  if (length === 0) return 'failed to validate encrypted DEK source: encrypted DEK source is empty'
  if (length > VALUE_MAX_BYTES)
    return `failed to validate encrypted DEK source: encrypted DEK source is ${length} bytes, which exceeds the max size of ${VALUE_MAX_BYTES}`
  const fault = keyIdFault(keyId)
  if (fault !== undefined) return `failed to validate key id: ${fault}`
  const wrong = annotationsFault(annotations)
  return wrong === undefined ? undefined : `failed to validate annotations: ${wrong}`
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const qualified = new RegExp(`^${label}(\\.${label})+$`)

function annotationsFault(annotations: Annotations): string | undefined {
  const entries = Object.entries(annotations)
  const name = entries.map(([key]) => key).find((key) => !qualified.test(key))
  if (name !== undefined)
    return `annotations: Invalid value: ${JSON.stringify(name)}: should be a domain with at least two segments separated by dots`
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + value.length, 0)
  return bytes > ANNOTATIONS_MAX_BYTES
    ? `total size of annotations is ${bytes}, which exceeds the max size of ${ANNOTATIONS_MAX_BYTES}`
    : undefined
}

/** As logs, errors and metrics name a key: what it is called may itself be told to nobody. '' for ''. */
export function hashOf(keyId: string): string {
  return keyId === '' ? '' : `sha256:${createHash('sha256').update(keyId).digest('hex')}`
}
