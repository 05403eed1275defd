// Acting as someone else (`kubectl --as`): each part of the other identity must be allowed by itself.

import { ApiError } from '@aksel/base/errors'
import { extraHeaders } from '../authentication/request-header.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import { headerValues, type IncomingCall } from '../http/message.ts'
import type { Authorizer } from './attributes.ts'
import { assertAllowed } from './authorize.ts'

export const extraPrefix = 'impersonate-extra-'
const authenticationGroup = 'authentication.k8s.io'

/** The user to go on with. Throws Forbidden where `impersonate` is not allowed. */
export async function impersonated(authorizer: Authorizer, user: UserInfo, call: IncomingCall): Promise<UserInfo> {
  if (!wantsImpersonation(call.headers)) return user
  const name = headerValues(call, 'impersonate-user')[0] ?? ''
  const groups = headerValues(call, 'impersonate-group')
  const uid = headerValues(call, 'impersonate-uid')[0] ?? ''
  const extra = extraHeaders(call, extraPrefix)
  const account = accountOf(name)
  const asked = requests({ name, account, groups, uid, extra })
  if (name === '') {
    const listed = asked.map(({ kind, value, key }) => `{${kind}  ${value}    ${key ?? ''}}`).join(' ')
    const path = call.url.split('?', 1)[0]
    throw new ApiError(
      'InternalError',
      `Internal Server Error: "${path}": requested [${listed}] without impersonating a user`,
    )
  }
  for (const { resource, group, namespace, value, key } of asked)
    await assertAllowed(authorizer, {
      user,
      verb: 'impersonate',
      isResource: true,
      group,
      version: 'v1',
      resource,
      subresource: key ?? '',
      namespace,
      name: value,
      path: '',
    })
  const implied = account === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`]
  return {
    name,
    ...(uid === '' ? {} : { uid }),
    groups: withEveryone(name, groups.length > 0 ? groups : implied),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

interface ServiceAccountName {
  readonly namespace: string
  readonly name: string
}

/** Undefined for who is none. */
export function accountOf(userName: string): ServiceAccountName | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(userName) ?? []
  return namespace === undefined || name === undefined ? undefined : { namespace, name }
}

interface ImpersonationRequest {
  readonly kind: 'User' | 'ServiceAccount' | 'Group' | 'UserExtra' | 'UID'
  readonly resource: string
  readonly group: string
  readonly namespace: string
  readonly value: string
  readonly key?: string
}

function requests(wanted: {
  readonly name: string
  readonly account: ServiceAccountName | undefined
  readonly groups: readonly string[]
  readonly uid: string
  readonly extra: Readonly<Record<string, readonly string[]>>
}): readonly ImpersonationRequest[] {
  const { name, account, groups, uid, extra } = wanted
  const core = { group: '', namespace: '' }
  const ofAuthentication = { group: authenticationGroup, namespace: '' }
  const all: ImpersonationRequest[] = []
  if (account !== undefined)
    all.push({
      kind: 'ServiceAccount',
      resource: 'serviceaccounts',
      group: '',
      namespace: account.namespace,
      value: account.name,
    })
  else if (name !== '') all.push({ kind: 'User', resource: 'users', ...core, value: name })
  for (const value of groups) all.push({ kind: 'Group', resource: 'groups', ...core, value })
  for (const [key, values] of Object.entries(extra))
    for (const value of values) all.push({ kind: 'UserExtra', resource: 'userextras', ...ofAuthentication, value, key })
  if (uid !== '') all.push({ kind: 'UID', resource: 'uids', ...ofAuthentication, value: uid })
  return all
}

function wantsImpersonation(headers: Readonly<Record<string, string>>): boolean {
  for (const header in headers) if (header.startsWith('impersonate-')) return true
  return false
}

/** Nobody is both: who is named a stranger, or counted among them, is not authenticated as well. */
export function withEveryone(name: string, groups: readonly string[]): readonly string[] {
  const [known, unknown] = ['system:authenticated', 'system:unauthenticated']
  if (name === 'system:anonymous') return groups.includes(unknown) ? groups : [...groups, unknown]
  return groups.includes(known) || groups.includes(unknown) ? groups : [...groups, known]
}
