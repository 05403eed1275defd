// What a key management service seals is a seed; each value is sealed with a key made of the seed and of bytes of its own. Behind
// the prefix stands a message, as upstream stores it (protobuf, v2.EncryptedObject):
//
//     1 encryptedData           info (32) · nonce (12) · ciphertext · tag (16); key = HKDF-Expand-SHA256(seed, info)
//     2 keyID                   of the service's key
//     3 encryptedDEKSource      the seed, sealed by the service
//     4 annotations             what the service wants to be told again
//     5 encryptedDEKSourceType  1: a seed; 0: the AES-GCM key itself, as servers before 1.28 wrote it

import { createHmac } from 'node:crypto'
import protobuf from 'protobufjs'
import { gcmWith, type Sealer } from '../providers.ts'
import { sealedSeedFault, type SealedSeed } from './protocol.ts'

const { root } = protobuf.parse(
  `syntax = "proto3";
   package v2;
   message EncryptedObject {
     bytes encryptedData = 1; string keyID = 2; bytes encryptedDEKSource = 3; map<string, bytes> annotations = 4;
     int32 encryptedDEKSourceType = 5;
   }`,
  { keepCase: true },
)
const message = root.lookupType('v2.EncryptedObject')

export const sourceTypes = { key: 0, seed: 1 } as const
export const SEED_BYTES = 32
const INFO_BYTES = 32

export interface Envelope {
  readonly data: Buffer
  readonly seed: SealedSeed
  readonly sourceType: number
}

interface Encrypted {
  readonly encryptedData: Uint8Array
  readonly keyID: string
  readonly encryptedDEKSource: Uint8Array
  readonly annotations: Readonly<Record<string, Uint8Array>>
  readonly encryptedDEKSourceType: number
}

export function encodeEnvelope({ data, seed, sourceType }: Envelope): Buffer {
  const encrypted: Encrypted = {
    encryptedData: data,
    keyID: seed.keyId,
    encryptedDEKSource: seed.ciphertext,
    annotations: seed.annotations,
    encryptedDEKSourceType: sourceType,
  }
  return Buffer.from(message.encode(encrypted).finish())
}

/** Throws an Error in upstream's words for what is no such message. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  const encrypted = message.decode(bytes) as unknown as Encrypted
  const { keyID: keyId, annotations, encryptedDEKSource: ciphertext, encryptedDEKSourceType: sourceType } = encrypted
  if (sourceType !== sourceTypes.key && sourceType !== sourceTypes.seed)
    throw new Error(`unknown encryptedDEKSourceType: ${sourceType}`)
  if (encrypted.encryptedData.length === 0) throw new Error('encrypted data is empty')
  const seed = { ciphertext, keyId, annotations }
  const fault = sealedSeedFault(seed)
  if (fault !== undefined) throw new Error(fault)
  return { data: Buffer.from(encrypted.encryptedData), seed, sourceType }
}

/** What an opened seed opens, and with which. */
export interface Opener {
  open(data: Buffer, place: string): Buffer
}

/** Throws an Error where the seed or key is too short. */
export function openerOf(source: Uint8Array, sourceType: number): Opener {
  if (sourceType === sourceTypes.seed) return seedSealer(source)
  if (![16, 24, 32].includes(source.length)) throw new Error(`crypto/aes: invalid key size ${source.length}`)
  return gcmWith(source)
}

export function seedSealer(seed: Uint8Array): Opener & Pick<Sealer, 'seal'> {
  if (seed.length < SEED_BYTES) throw new Error(`invalid seed length ${seed.length} used for key generation`)
  return {
    seal(value, place, nonce) {
      const info = nonce(INFO_BYTES)
      return Buffer.concat([info, gcmWith(derivedKey(seed, info)).seal(value, place, nonce)])
    },
    open(data, place) {
      if (data.length < INFO_BYTES) throw new Error('the stored data was shorter than the required size')
      const info = data.subarray(0, INFO_BYTES)
      return gcmWith(derivedKey(seed, info)).open(data.subarray(INFO_BYTES), place)
    },
  }
}

/** The first and only block of HKDF's expansion (RFC 5869, 2.3): the seed is strong already, so nothing is extracted. */
function derivedKey(seed: Uint8Array, info: Uint8Array): Buffer {
  return createHmac('sha256', seed).update(info).update(Uint8Array.of(1)).digest()
}
