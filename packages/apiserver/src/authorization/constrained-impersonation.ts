// Acting as someone else within bounds (upstream's ConstrainedImpersonation, on since 1.36): who may act as a node, as a service
// account or as a person says nothing of what may be done as them, and each verb is allowed by itself. Whoever has none of these
// rights is judged by the right to impersonate as it always was.

import { ApiError } from '@aksel/base/errors'
import { dnsSubdomain } from '@aksel/api/validation/names'
import { extraHeaders } from '../authentication/request-header.ts'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import { headerValues, type IncomingCall } from '../http/message.ts'
import type { Attributes, Authorizer } from './attributes.ts'
import { deniedError } from './authorize.ts'
import type { ImpersonationMetrics } from './impersonation-metrics.ts'
import { accountOf, extraPrefix, impersonated, withEveryone } from './impersonation.ts'

export interface Acting {
  readonly user: UserInfo
  /** The verb that allowed it; undefined for the plain right to impersonate, and for who acts for himself. */
  readonly constraint?: string
}

interface Wanted {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

interface Mode {
  readonly name: string
  fits(wanted: Wanted, actor: UserInfo): boolean
  /** The actor as authorizers see it, and the node for which it asks. */
  readonly isAssociated?: boolean
}

const group = 'authentication.k8s.io'
const prefix = 'impersonate:'
/** Upstream's name for the plain right, in its metrics. */
const LEGACY = 'legacy'
const nodeNameKey = 'authentication.kubernetes.io/node-name'
const associatedKeys = 'authentication.kubernetes.io/associated-node-keys'
/** So many groups or extra values are asked for at once first, by `*`. */
const MANY = 4

const modes: readonly Mode[] = [
  {
    name: 'associated-node',
    isAssociated: true,
    fits: (wanted, { name, extra = {} }) => {
      const own = extra[nodeNameKey] ?? []
      const node = nodeOf(wanted.name)
      return (
        isNameAlone(wanted) &&
        node !== undefined &&
        accountOf(name) !== undefined &&
        own.length === 1 &&
        own[0] === node
      )
    },
  },
  { name: 'arbitrary-node', fits: (wanted) => isNameAlone(wanted) && nodeOf(wanted.name) !== undefined },
  { name: 'serviceaccount', fits: (wanted) => isNameAlone(wanted) && accountOf(wanted.name) !== undefined },
  { name: 'user-info', fits: ({ name }) => nodeOf(name) === undefined && accountOf(name) === undefined },
]

/** The user to go on with. Throws Forbidden with what the first mode that fits lacks, where all fail. */
export async function actingAs(
  authorizer: Authorizer,
  asked: Attributes,
  { call, metrics }: { readonly call: IncomingCall; readonly metrics: ImpersonationMetrics },
): Promise<Acting> {
  const wanted = wantedOf(call)
  if (wanted.name === '') {
    if (wanted.uid === '' && wanted.groups.length === 0 && Object.keys(wanted.extra).length === 0)
      return { user: asked.user }
    throw new ApiError('BadRequest', `requested ${shown(wanted)} without impersonating a user name`)
  }
  const modeOf = ({ constraint }: Acting): string => constraint?.slice(prefix.length) ?? LEGACY
  return metrics.attempt(() => firstOf(authorizer, asked, { call, metrics, wanted }), modeOf)
}

/** The first mode that lets him; the plain right to impersonate comes last. */
async function firstOf(
  authorizer: Authorizer,
  asked: Attributes,
  {
    call,
    metrics,
    wanted,
  }: { readonly call: IncomingCall; readonly metrics: ImpersonationMetrics; readonly wanted: Wanted },
): Promise<Acting> {
  let first: ApiError | undefined
  for (const mode of modes.filter((one) => one.fits(wanted, asked.user))) {
    try {
      return await within(mode, metrics.within(authorizer, mode.name), asked, wanted)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      first ??= error
    }
  }
  try {
    return { user: await impersonated(metrics.within(authorizer, LEGACY), asked.user, call) }
  } catch (error) {
    throw first ?? error
  }
}

async function within(mode: Mode, authorizer: Authorizer, asked: Attributes, wanted: Wanted): Promise<Acting> {
  const user = mode.isAssociated === true ? associated(asked.user) : asked.user
  const check = (attributes: Attributes): Promise<void> => assertAllowedOrForbidden(authorizer, attributes)
  const constraint = `${prefix}${mode.name}`
  await check({ ...asked, user, verb: `impersonate-on:${mode.name}:${asked.verb}` })
  const part = (resource: string, name: string, more: Partial<Attributes> = {}): Attributes => ({
    user,
    verb: constraint,
    isResource: true,
    group,
    version: 'v1',
    resource,
    subresource: '',
    namespace: '',
    name,
    path: '',
    ...more,
  })
  const node = nodeOf(wanted.name)
  const account = accountOf(wanted.name)
  if (node !== undefined) await check(part('nodes', mode.isAssociated === true ? '*' : node))
  else if (account !== undefined) await check(part('serviceaccounts', account.name, { namespace: account.namespace }))
  else await check(part('users', wanted.name))
  if (wanted.uid !== '') await check(part('uids', wanted.uid))
  await checkGroups(wanted.groups, (name) => part('groups', name), check)
  await checkExtra(wanted.extra, (key, value) => part('userextras', value, { subresource: key }), check)
  const implied =
    node !== undefined
      ? ['system:nodes']
      : account === undefined
        ? []
        : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`]
  return {
    constraint,
    user: {
      name: wanted.name,
      ...(wanted.uid === '' ? {} : { uid: wanted.uid }),
      groups: withEveryone(wanted.name, wanted.groups.length > 0 ? wanted.groups : implied),
      ...(Object.keys(wanted.extra).length === 0 ? {} : { extra: wanted.extra }),
    },
  }
}

type Check = (attributes: Attributes) => Promise<void>

async function checkGroups(groups: readonly string[], part: (name: string) => Attributes, check: Check): Promise<void> {
  if (groups.includes('')) throw refused(part(''), 'impersonating the empty string group is not allowed')
  if (groups.includes(masters)) throw refused(part(masters), 'impersonating the system:masters group is not allowed')
  if (groups.length >= MANY && (await holds(check(part('*'))))) return
  for (const one of groups) await check(part(one))
}

async function checkExtra(
  extra: Wanted['extra'],
  part: (key: string, value: string) => Attributes,
  check: Check,
): Promise<void> {
  const entries = Object.entries(extra)
  const fault = entries.map(([key, values]) => extraFault(key, values)).find((one) => one !== undefined)
  if (fault !== undefined) throw refused(part('', ''), fault)
  const count = entries.reduce((sum, [, values]) => sum + values.length, 0)
  if (count >= MANY && (await holds(check(part('*', '*'))))) return
  for (const [key, values] of entries) for (const value of values) await check(part(key, value))
}

function extraFault(key: string, values: readonly string[]): string | undefined {
  if (key === '') return 'impersonating the empty string key in extra is not allowed'
  const [domain = '', ...rest] = key.split('/')
  if (!isSubdomain(domain) || rest.join('/') === '')
    return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo")`
  if (key !== key.toLowerCase())
    return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`
  if (values.length === 0) return 'impersonating empty values in extra is not allowed'
  return values.includes('') ? 'impersonating the empty string value in extra is not allowed' : undefined
}

async function holds(check: Promise<void>): Promise<boolean> {
  try {
    await check
    return true
  } catch (error) {
    if (error instanceof ApiError) return false
    throw error
  }
}

/** Throws Forbidden, also where nobody could judge. */
async function assertAllowedOrForbidden(authorizer: Authorizer, attributes: Attributes): Promise<void> {
  const { verdict, reason, error } = await authorizer.authorize(attributes)
  if (verdict === 'allow') return
  throw refused(attributes, [error ?? '', reason].filter((text) => text !== '').join(': '))
}

function refused(attributes: Attributes, reason: string): ApiError {
  return deniedError(attributes, { verdict: 'no opinion', reason })
}

/** That it runs on this very node is checked already; on which does not matter to who decides. */
function associated(actor: UserInfo): UserInfo {
  return { ...actor, extra: { [associatedKeys]: Object.keys(actor.extra ?? {}).toSorted() } }
}

function nodeOf(name: string): string | undefined {
  const node = name.startsWith('system:node:') ? name.slice('system:node:'.length) : ''
  return isSubdomain(node) ? node : undefined
}

function isNameAlone({ uid, groups, extra }: Wanted): boolean {
  return uid === '' && groups.length === 0 && Object.keys(extra).length === 0
}

function wantedOf(call: IncomingCall): Wanted {
  return {
    name: headerValues(call, 'impersonate-user')[0] ?? '',
    uid: headerValues(call, 'impersonate-uid')[0] ?? '',
    groups: headerValues(call, 'impersonate-group'),
    extra: extraHeaders(call, extraPrefix),
  }
}

/** As Go prints it. */
function shown({ name, uid, groups, extra }: Wanted): string {
  const quoted = (texts: readonly string[]): string => texts.map((text) => JSON.stringify(text)).join(', ')
  const list = groups.length === 0 ? '[]string(nil)' : `[]string{${quoted(groups)}}`
  const entries = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:[]string{${quoted(values)}}`)
  const map = entries.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${entries.join(', ')}}`
  return `&user.DefaultInfo{Name:${JSON.stringify(name)}, UID:${JSON.stringify(uid)}, Groups:${list}, Extra:${map}}`
}

function isSubdomain(text: string): boolean {
  return dnsSubdomain(text).length === 0
}
