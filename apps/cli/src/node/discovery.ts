// Whether an API server that nobody knows is the cluster's: it shows its authority signed by a token, and the authority's key has to be
// one that was pinned. As kubeadm's token discovery does it, with its words.

import { createHash, createHmac, timingSafeEqual, X509Certificate } from 'node:crypto'
import { CommandError } from '../command-error.ts'

export interface JoinToken {
  readonly id: string
  readonly secret: string
}

/** `cluster-info` in kube-public, as anybody may read it. */
export type ClusterInfo = Readonly<Record<string, string>>

/** With an authority: from a server that it vouches for. Without: from whoever answers. */
export type ReadClusterInfo = (caPem: string | undefined) => Promise<ClusterInfo>

export interface TrustedCluster {
  readonly caPem: string
  /** `https://100.65.0.1:443`: where the cluster says that it is. */
  readonly server: string
}

export function parseToken(text: string): JoinToken {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text) ?? []
  if (id === undefined || secret === undefined)
    throw new CommandError(
      `The token "${text}" is not of the form "abcdef.0123456789abcdef". "./aksel node token create" makes one.`,
      2,
    )
  return { id, secret }
}

/** `sha256:` and 64 hex digits, of the authority's public key (SubjectPublicKeyInfo, DER). */
export function parsePin(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  throw new CommandError(`invalid hash "${text}", expected "sha256:" and 64 hex digits`, 2)
}

export function pinOf(certificatePem: string): string {
  const key = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}

/** Undefined pins: the user said that none are to be checked. Reads twice: what is believed comes from the server that was proven. */
export async function discover(
  read: ReadClusterInfo,
  token: JoinToken,
  pins: readonly string[] | undefined,
): Promise<TrustedCluster> {
  const claimed = await readConfig(signedBy(token, await read(undefined)))
  const pin = pinOf(claimed.caPem)
  if (pins !== undefined && !pins.includes(pin))
    throw new CommandError(
      `The cluster CA found in cluster-info is not the one that was pinned: its public key has the hash "${pin}", and --discovery-token-ca-cert-hash names ${pins.map((one) => `"${one}"`).join(', ')}. Somebody else may be answering at this address.`,
    )
  const proven = await readConfig(signedBy(token, await read(claimed.caPem)))
  if (proven.caPem !== claimed.caPem)
    throw new CommandError('The cluster changed its CA while it was asked. Try again.')
  return proven
}

/** The kubeconfig in it, when the token signed it. */
export function signedBy(token: JoinToken, info: ClusterInfo): string {
  const { kubeconfig } = info
  if (kubeconfig === undefined)
    throw new CommandError('cluster-info of this API server holds no kubeconfig: it cannot be joined.')
  const signature = info[`jws-kubeconfig-${token.id}`]
  if (signature === undefined)
    throw new CommandError(
      `The token id "${token.id}" is invalid for this cluster or it has expired. "./aksel node token create" on the server's host makes a new token.`,
    )
  if (!isSigned(signature, kubeconfig, token))
    throw new CommandError(
      `The token "${token.id}" did not sign the cluster-info of this API server, so it cannot be trusted: the second part of the token is wrong, or somebody else answers at this address.`,
    )
  return kubeconfig
}

function isSigned(signature: string, content: string, { id, secret }: JoinToken): boolean {
  const [header = '', payload, given = '', ...more] = signature.split('.')
  if (payload !== '' || more.length > 0) return false
  try {
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: string; kid?: string }
    if (alg !== 'HS256' || kid !== id) return false
  } catch {
    return false
  }
  const text = `${header}.${Buffer.from(content).toString('base64url')}`
  const wanted = createHmac('sha256', secret).update(text).digest()
  const found = Buffer.from(given, 'base64url')
  return found.length === wanted.length && timingSafeEqual(found, wanted)
}

interface InfoConfig {
  readonly clusters?: readonly {
    readonly cluster?: { readonly server?: string; readonly 'certificate-authority-data'?: string }
  }[]
}

async function readConfig(text: string): Promise<TrustedCluster> {
  const { parse } = await import('yaml')
  const { server, 'certificate-authority-data': ca } = (parse(text) as InfoConfig | null)?.clusters?.[0]?.cluster ?? {}
  if (server === undefined || ca === undefined)
    throw new CommandError('The kubeconfig in cluster-info names no server or no CA.')
  return { server, caPem: Buffer.from(ca, 'base64').toString() }
}
