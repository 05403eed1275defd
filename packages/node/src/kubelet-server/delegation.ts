// Who asks at the kubelet's port, and whether he may: the cluster is asked, and its word holds for as long as upstream's kubelet lets it.

import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import type { Client } from '@aksel/client/client'
import type { NodeAttributes } from './attributes.ts'

export interface NodeUser {
  readonly username: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export interface Delegation {
  /** Undefined for a token that the cluster does not know. Rejects where the cluster does not answer. */
  authenticate(token: string): Promise<NodeUser | undefined>
  authorize(user: NodeUser, attributes: NodeAttributes): Promise<boolean>
}

/** Upstream's defaults: authentication 2 min; authorization 5 min for yes, 30 s for no. */
const TOKEN_MS = 120_000
const ALLOWED_MS = 300_000
const DENIED_MS = 30_000
const ENTRIES_MAX = 1_000

const tokenReviews = '/apis/authentication.k8s.io/v1/tokenreviews'
const accessReviews = '/apis/authorization.k8s.io/v1/subjectaccessreviews'

interface Kept<T> {
  readonly value: T
  readonly untilMs: number
}

export function delegation(scope: Scope, client: Client, nodeName: string): Delegation {
  const users = new Map<string, Kept<NodeUser>>()
  const verdicts = new Map<string, Kept<boolean>>()
  const review = async (path: string, kind: string, group: string, spec: object): Promise<ReviewStatus> => {
    const body = Buffer.from(JSON.stringify({ apiVersion: `${group}/v1`, kind, spec }))
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await client.send({ method: 'POST', path, headers, body, signal: scope.signal })
    const text = Buffer.from(await readBody(answer.body)).toString()
    if (answer.status >= 300) throw new Error(`${kind} was answered with ${answer.status}`)
    return (JSON.parse(text) as { readonly status?: ReviewStatus }).status ?? {}
  }
  const allowed = async (user: NodeUser, verb: string, subresource: string): Promise<boolean> => {
    const { username, ...rest } = user
    const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName }
    const spec = { user: username, ...rest, resourceAttributes }
    const key = JSON.stringify(spec)
    const known = fresh(scope, verdicts, key)
    if (known !== undefined) return known
    const value = (await review(accessReviews, 'SubjectAccessReview', 'authorization.k8s.io', spec)).allowed === true
    keep(scope, verdicts, key, { value, forMs: value ? ALLOWED_MS : DENIED_MS })
    return value
  }
  return {
    async authenticate(token) {
      const known = fresh(scope, users, token)
      if (known !== undefined) return known
      const { authenticated, user } = await review(tokenReviews, 'TokenReview', 'authentication.k8s.io', { token })
      if (authenticated !== true || user?.username === undefined) return undefined
      const value: NodeUser = { ...user, username: user.username, groups: user.groups ?? [] }
      keep(scope, users, token, { value, forMs: TOKEN_MS })
      return value
    },
    async authorize(user, { verb, subresources }) {
      for (const subresource of subresources) if (await allowed(user, verb, subresource)) return true
      return false
    },
  }
}

interface ReviewStatus {
  readonly authenticated?: boolean
  readonly user?: Partial<NodeUser>
  readonly allowed?: boolean
}

function fresh<T>(scope: Scope, all: ReadonlyMap<string, Kept<T>>, key: string): T | undefined {
  const known = all.get(key)
  return known !== undefined && scope.clock.monotonicMs() < known.untilMs ? known.value : undefined
}

function keep<T>(scope: Scope, all: Map<string, Kept<T>>, key: string, one: { value: T; forMs: number }): void {
  if (all.size >= ENTRIES_MAX) all.clear()
  all.set(key, { value: one.value, untilMs: scope.clock.monotonicMs() + one.forMs })
}
