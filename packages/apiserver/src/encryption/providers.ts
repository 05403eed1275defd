// How a value is sealed and opened by each provider. What is stored begins with who sealed it, as upstream writes it:
//
//     k8s:enc:aesgcm:v1:KEY:     nonce (12) · ciphertext · tag (16); the key in the store is authenticated along
//     k8s:enc:aescbc:v1:KEY:     iv (16) · ciphertext, PKCS #7
//     k8s:enc:secretbox:v1:KEY:  nonce (24) · XSalsa20-Poly1305
//
//     k8s:enc:kms:v2:NAME:       what kms/envelope.ts draws
//
// What the identity provider writes has no prefix.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import type { EncryptionKey, EncryptionProvider } from '@aksel/api/encryption-configuration'
import { isSealed, sealedPrefix } from './unopened.ts'

export interface Sealer {
  /** '' for the identity provider. */
  readonly prefix: string
  /** `nonce`: as many random bytes as are asked for. `place` is authenticated where the provider can. */
  seal(value: Uint8Array, place: string, nonce: (bytes: number) => Uint8Array): Buffer
  /** Throws where the value was changed, or is of another place; later where a service must be asked first. `sealed` is without the prefix. */
  open(sealed: Buffer, place: string): Buffer | Promise<Buffer>
  /** Which of the keys behind the prefix sealed a value, where there are several over time. */
  keyOf?(sealed: Buffer): string
  /** Which of them seals now. */
  keyNow?(): string
  /** Of a key management service: its name, and the name of the key that sealed a value. */
  readonly kms?: { readonly name: string; keyIdOf(sealed: Buffer): string }
}

/** Who needs nobody else to open. */
interface Opens {
  open(sealed: Buffer, place: string): Buffer
}
type LocalSealer = Sealer & Opens

/** The keys of a provider in their order, each with a prefix of its own. Key management services are opened elsewhere. */
export function sealersOf({ aesgcm, aescbc, secretbox }: EncryptionProvider): readonly LocalSealer[] {
  if (aesgcm !== undefined) return aesgcm.keys.map(gcm)
  if (aescbc !== undefined) return aescbc.keys.map(cbc)
  if (secretbox !== undefined) return secretbox.keys.map(box)
  return [identity]
}

const identity: LocalSealer = {
  prefix: '',
  seal: (value) => Buffer.from(value),
  open(sealed) {
    if (isSealed(sealed)) throw new Error('identity transformer tried to read encrypted data')
    return sealed
  },
}

const GCM = { nonceBytes: 12, tagBytes: 16 }

function gcm({ name, secret }: EncryptionKey): LocalSealer {
  return { prefix: `${sealedPrefix}aesgcm:v1:${name}:`, ...gcmWith(Buffer.from(secret, 'base64')) }
}

/** Of 16, 24 or 32 bytes. */
export function gcmWith(key: Uint8Array): Opens & Pick<Sealer, 'seal'> {
  const algorithm = `aes-${key.length * 8}-gcm` as 'aes-256-gcm'
  return {
    seal(value, place, nonce) {
      const iv = nonce(GCM.nonceBytes)
      const cipher = createCipheriv(algorithm, key, iv).setAAD(Buffer.from(place))
      return Buffer.concat([iv, cipher.update(value), cipher.final(), cipher.getAuthTag()])
    },
    open(sealed, place) {
      if (sealed.length < GCM.nonceBytes + GCM.tagBytes)
        throw new Error('the stored data was shorter than the required size')
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, GCM.nonceBytes))
      decipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(-GCM.tagBytes))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(GCM.nonceBytes, -GCM.tagBytes)), decipher.final()])
      } catch {
        throw new Error('cipher: message authentication failed')
      }
    },
  }
}

const BLOCK_BYTES = 16

function cbc({ name, secret }: EncryptionKey): LocalSealer {
  const key = Buffer.from(secret, 'base64')
  const algorithm = `aes-${key.length * 8}-cbc`
  return {
    prefix: `${sealedPrefix}aescbc:v1:${name}:`,
    seal(value, _place, nonce) {
      const iv = nonce(BLOCK_BYTES)
      const cipher = createCipheriv(algorithm, key, iv)
      return Buffer.concat([iv, cipher.update(value), cipher.final()])
    },
    open(sealed) {
      if (sealed.length < 2 * BLOCK_BYTES) throw new Error('the stored data was shorter than the required size')
      if (sealed.length % BLOCK_BYTES !== 0) throw new Error('the stored data is not a multiple of the block size')
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, BLOCK_BYTES))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(BLOCK_BYTES)), decipher.final()])
      } catch {
        throw new Error('invalid padding on input')
      }
    },
  }
}

const BOX = { nonceBytes: 24, tagBytes: 16 }

function box({ name, secret }: EncryptionKey): LocalSealer {
  const key = new Uint8Array(Buffer.from(secret, 'base64'))
  return {
    prefix: `${sealedPrefix}secretbox:v1:${name}:`,
    seal(value, _place, nonce) {
      const iv = nonce(BOX.nonceBytes)
      return Buffer.concat([iv, xsalsa20poly1305(key, iv).encrypt(value)])
    },
    open(sealed) {
      if (sealed.length < BOX.nonceBytes + BOX.tagBytes)
        throw new Error('the stored data was shorter than the required size')
      try {
        return Buffer.from(
          xsalsa20poly1305(key, sealed.subarray(0, BOX.nonceBytes)).decrypt(sealed.subarray(BOX.nonceBytes)),
        )
      } catch {
        throw new Error('secretbox: message authentication failed')
      }
    },
  }
}
