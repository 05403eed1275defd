// The stage that asks: may this user do this? The first authorizer with an opinion decides; without one the answer is no.

import { ApiError } from '@aksel/base/errors'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import { sentenceOf, type Attributes, type Authorizer, type Decision } from './attributes.ts'

/** Members of system:masters may do everything, whatever the roles say. */
export const mastersAuthorizer: Authorizer = {
  async authorize({ user }) {
    return user.groups.includes(masters) ? { verdict: 'allow', reason: '' } : { verdict: 'no opinion', reason: '' }
  },
}

export function chainOf(authorizers: readonly Authorizer[]): Authorizer {
  return {
    async authorize(attributes): Promise<Decision> {
      const reasons: string[] = []
      for (const authorizer of authorizers) {
        const decision = await authorizer.authorize(attributes)
        if (decision.verdict !== 'no opinion') return decision
        if (decision.reason !== '') reasons.push(decision.reason)
      }
      return { verdict: 'no opinion', reason: reasons.join(', ') }
    },
  }
}

/** Throws Forbidden in upstream's words. */
export async function assertAllowed(authorizer: Authorizer, attributes: Attributes): Promise<Decision> {
  const decision = await authorizer.authorize(attributes)
  if (decision.verdict === 'allow') return decision
  throw deniedError(attributes, decision.reason)
}

function deniedError(attributes: Attributes, reason: string): ApiError {
  const sentence = sentenceOf(attributes)
  const text = reason === '' ? sentence : `${sentence}: ${reason}`
  if (!attributes.isResource) return new ApiError('Forbidden', `forbidden: ${text}`, { details: {} })
  const { group, resource, name } = attributes
  const qualified = group === '' ? resource : `${resource}.${group}`
  const subject = name === '' ? qualified : `${qualified} "${name}"`
  return new ApiError('Forbidden', `${subject} is forbidden: ${text}`, {
    details: { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
  })
}

/** Acting as someone else (`kubectl --as`): the user to go on with. Throws Forbidden where `impersonate` is not allowed. */
export async function impersonated(
  authorizer: Authorizer,
  user: UserInfo,
  headers: Readonly<Record<string, string>>,
): Promise<UserInfo> {
  const name = headers['impersonate-user']
  const groups = listHeader(headers['impersonate-group'])
  const uid = headers['impersonate-uid']
  if (name === undefined) {
    if (groups.length > 0 || uid !== undefined)
      throw new ApiError('InternalError', 'requested [{Group }] without impersonating a user')
    return user
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  const ask = (resource: string, namespace: string, asked: string, group = ''): Promise<Decision> =>
    assertAllowed(authorizer, {
      user,
      verb: 'impersonate',
      isResource: true,
      group,
      version: 'v1',
      resource,
      subresource: '',
      namespace,
      name: asked,
      path: '',
    })
  if (account === null) await ask('users', '', name)
  else await ask('serviceaccounts', account[1]!, account[2]!)
  for (const group of groups) await ask('groups', '', group)
  if (uid !== undefined) await ask('uids', '', uid, 'authentication.k8s.io')
  const implied = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  const base = groups.length > 0 ? groups : implied
  const last = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  return { name, ...(uid === undefined ? {} : { uid }), groups: base.includes(last) ? base : [...base, last] }
}

function listHeader(value: string | undefined): readonly string[] {
  return value === undefined ? [] : value.split(',').map((one) => one.trim())
}
