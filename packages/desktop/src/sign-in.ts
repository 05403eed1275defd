// What a person hands over to sign in, judged and tried before it is believed.

import type { Scope } from '@aksel/base/scope'
import { armKey } from './cluster-access.ts'
import type { FrontDoorClient } from './front-door-client.ts'
import { textOf } from './front-door-client.ts'
import { readKubeconfig, type ClusterConnection } from './kubeconfig-file.ts'
import type { Credentials, Sessions } from './sessions.ts'
import { Upstream } from './upstream.ts'

/** In words for the person. */
export class SignInError extends Error {}

export interface SignInParts {
  readonly scope: Scope
  readonly sessions: Sessions
  readonly frontDoor: FrontDoorClient | undefined
  /** Where a cluster of this server answers; undefined where there is none of that name. */
  readonly endpointOf?: (group: string, name: string) => OwnEndpoint | undefined
  /** Whether a server is one of this host's own clusters: to others nobody is led who has not signed in. */
  readonly isOwnServer?: (server: string) => boolean
}

export interface OwnEndpoint {
  readonly server: string
  readonly caPem: string
}

/** What the session had before stays: a person may add one cluster after the other. */
export async function signIn(parts: SignInParts, body: unknown, before: Credentials | undefined): Promise<Credentials> {
  const form = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>
  const field = (name: string): string => (typeof form[name] === 'string' ? form[name].trim() : '')
  const kept: Credentials = before ?? { clusters: new Map() }
  switch (form['kind']) {
    case 'code': {
      const credentials = parts.sessions.redeem(field('code'))
      if (credentials === undefined)
        throw new SignInError('This link was used already or is too old. Run "./aksel desktop" for a new one.')
      return credentials
    }
    case 'client': {
      if (parts.frontDoor === undefined)
        throw new SignInError('There is no server here, only the clusters of a kubeconfig.')
      const arm = { clientId: field('clientId'), clientSecret: field('clientSecret') }
      try {
        await parts.frontDoor.check(arm)
      } catch (error) {
        throw new SignInError((error as Error).message, { cause: error })
      }
      return { ...kept, arm }
    }
    case 'token':
      return withClusters(kept, [await tokenConnection(parts, field('cluster'), field('token'))])
    case 'kubeconfig':
      return withClusters(kept, await uploaded(parts, field('text'), kept))
    default:
      throw new SignInError('The way to sign in is not known.')
  }
}

type Keyed = readonly [string, ClusterConnection]

function withClusters(before: Credentials, added: readonly Keyed[]): Credentials {
  return { ...before, clusters: new Map([...before.clusters, ...added]) }
}

async function tokenConnection(parts: SignInParts, cluster: string, token: string): Promise<Keyed> {
  const [group, name] = cluster.split('/')
  if (group === undefined || name === undefined || name === '' || token === '')
    throw new SignInError('A cluster, written RESOURCE-GROUP/NAME, and a token are wanted.')
  const endpoint = parts.endpointOf?.(group, name)
  const connection: ClusterConnection | undefined =
    endpoint === undefined ? undefined : { name, ...endpoint, credential: () => Promise.resolve({ token }) }
  // Who has no token learns nothing about which clusters there are.
  if (connection === undefined || !(await isKnown(connection)))
    throw new SignInError('There is no such cluster, or it does not accept this token.')
  return [armKey(group, name), connection]
}

async function uploaded(parts: SignInParts, text: string, before: Credentials): Promise<readonly Keyed[]> {
  let connections: readonly ClusterConnection[]
  try {
    connections = readKubeconfig(text, { nowMs: () => parts.scope.clock.now() }).connections
  } catch (error) {
    throw new SignInError((error as Error).message, { cause: error })
  }
  const foreign = connections.find(({ server }) => parts.isOwnServer?.(server) === false)
  if (foreign !== undefined && before.arm === undefined)
    throw new SignInError(
      `${foreign.server} is no cluster of this server. Sign in to the server first, or run "./aksel desktop --kubeconfig FILE".`,
    )
  const tried = await Promise.all(connections.map(async (each) => ({ each, known: await isKnown(each) })))
  const good = tried.filter(({ known }) => known).map(({ each }) => [contextKey(each.name), each] as const)
  if (good.length === 0) throw new SignInError('No cluster of this kubeconfig accepts its credentials.')
  return good
}

export function contextKey(name: string): string {
  return `ctx.${Buffer.from(name).toString('base64url')}`
}

/** An API server that says who the caller is knows the credential; every signed-in user may ask. */
async function isKnown(connection: ClusterConnection): Promise<boolean> {
  using upstream = new Upstream(connection)
  const body = Buffer.from(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }))
  try {
    const answer = await upstream.send({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      body,
      signal: AbortSignal.timeout(10_000),
    })
    const text = await textOf(answer)
    if (answer.statusCode !== 201) return false
    const { status } = JSON.parse(text) as { readonly status?: { readonly userInfo?: { readonly username?: string } } }
    return status?.userInfo?.username !== undefined && status.userInfo.username !== 'system:anonymous'
  } catch {
    return false
  }
}
