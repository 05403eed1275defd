// `test-service-account-issuer-discovery`: judges the pod's own token by what the cluster publishes about its issuer alone.

import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Flags } from './flags.ts'
import { getFromCluster } from './incluster.ts'

interface Discovery {
  readonly issuer: string
  readonly jwks_uri: string
}

export async function issuerDiscovery(flags: Flags): Promise<void> {
  const token = readFileSync(flags.text('token-path', ''), 'utf8').trim()
  // Read in the way that every pod reads the API: the token in question is for somebody else.
  const own = readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8')
  const discovery = JSON.parse(await read('/.well-known/openid-configuration', own)) as Discovery
  process.stdout.write(`OIDC Discovery document retrieved: issuer ${discovery.issuer}\n`)
  const { keys } = JSON.parse(await read('/openid/v1/jwks', own)) as {
    keys: readonly (JsonWebKey & { kid: string })[]
  }
  const [head = '', body = '', signature = ''] = token.split('.')
  const { kid, alg } = decoded(head) as { kid: string; alg: string }
  const key = keys.find((each) => each['kid'] === kid)
  if (key === undefined) throw new Error(`no published key has the id ${kid}`)
  const publicKey = createPublicKey({ key, format: 'jwk' })
  const options = alg.startsWith('ES') ? { key: publicKey, dsaEncoding: 'ieee-p1363' as const } : publicKey
  const isSigned = verify('sha256', Buffer.from(`${head}.${body}`), options, Buffer.from(signature, 'base64url'))
  const claims = decoded(body) as { iss: string; aud: readonly string[]; exp: number }
  if (!isSigned) throw new Error('the signature does not fit')
  if (claims.iss !== discovery.issuer) throw new Error(`issuer ${claims.iss} is not the published ${discovery.issuer}`)
  if (!claims.aud.includes(flags.text('audience', ''))) throw new Error(`audience is ${claims.aud.join(', ')}`)
  if (claims.exp * 1000 < Date.now()) throw new Error('the token has expired')
  process.stdout.write('successfully validated the token\n')
}

async function read(path: string, token: string): Promise<string> {
  const { status, text } = await getFromCluster(path, token)
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`)
  return text
}

function decoded(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
