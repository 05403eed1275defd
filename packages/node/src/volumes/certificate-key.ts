// A key of a pod's own and the proof that the pod has it, as signers of PodCertificateRequests expect them.

import { generateKeyPair, sign, constants } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { loadX509 } from '@aksel/runtime/pki'

export interface PodKey {
  /** PKCS #8, PEM. */
  readonly keyPem: string
  /** PKIX, DER. */
  readonly publicKey: Buffer
  /** Of the pod's uid, by the key. */
  readonly proof: Buffer
  /** An empty PKCS #10 request, DER. */
  readonly stubRequest: () => Promise<Buffer>
}

interface Kind {
  readonly generate: () => Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }>
  readonly sign: (privateKey: KeyObject, data: Buffer) => Buffer
  /** As Web Crypto names it, for the request. */
  readonly importAs: { readonly name: string; readonly hash?: string; readonly namedCurve?: string }
  readonly signAs: { readonly name: string; readonly hash?: string }
}

const generate = promisify(generateKeyPair)

const rsa = (modulusLength: number): Kind => ({
  generate: () => generate('rsa', { modulusLength }),
  sign: (key, data) => sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING }),
  importAs: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  signAs: { name: 'RSASSA-PKCS1-v1_5' },
})

const ecdsa = (namedCurve: string, hash: string): Kind => ({
  generate: () => generate('ec', { namedCurve }),
  sign: (key, data) => sign('sha256', data, key),
  importAs: { name: 'ECDSA', namedCurve },
  signAs: { name: 'ECDSA', hash },
})

const kinds: Readonly<Record<string, Kind>> = {
  RSA3072: rsa(3072),
  RSA4096: rsa(4096),
  ECDSAP256: ecdsa('P-256', 'SHA-256'),
  ECDSAP384: ecdsa('P-384', 'SHA-384'),
  ECDSAP521: ecdsa('P-521', 'SHA-512'),
  ED25519: {
    generate: () => generate('ed25519', {}),
    sign: (key, data) => sign(undefined, data, key),
    importAs: { name: 'Ed25519' },
    signAs: { name: 'Ed25519' },
  },
}

/** Rejects for a type that nobody knows. */
export async function createPodKey(keyType: string, podUid: string): Promise<PodKey> {
  const kind = Object.hasOwn(kinds, keyType) ? kinds[keyType]! : undefined
  if (kind === undefined) throw new Error(`while generating keypair: unknown key type ${JSON.stringify(keyType)}`)
  const { publicKey, privateKey } = await kind.generate()
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return {
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: spki,
    proof: kind.sign(privateKey, Buffer.from(podUid)),
    async stubRequest() {
      const { subtle } = globalThis.crypto
      const keys = {
        privateKey: await subtle.importKey('pkcs8', new Uint8Array(pkcs8), kind.importAs, true, ['sign']),
        publicKey: await subtle.importKey('spki', new Uint8Array(spki), kind.importAs, true, ['verify']),
      }
      const { Pkcs10CertificateRequestGenerator } = await loadX509()
      const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: kind.signAs })
      return Buffer.from(request.rawData)
    },
  }
}
