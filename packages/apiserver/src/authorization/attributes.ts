// What is asked for, as authorizers see it.

import type { RequestInfo } from '../request-info.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import { selectedBy, type SelectorRequirement } from './selectors.ts'

export interface Attributes {
  readonly user: UserInfo
  readonly verb: string
  /** False for plain paths: then only `path` and `verb` mean anything. */
  readonly isResource: boolean
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly path: string
  /** What lists, watches and deletions of collections are narrowed down to. */
  readonly fieldSelector?: readonly SelectorRequirement[]
  readonly labelSelector?: readonly SelectorRequirement[]
}

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'no opinion'
  readonly reason: string
  /** What kept an authorizer from judging. */
  readonly error?: string
}

export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision>
}

export const noOpinion: Decision = { verdict: 'no opinion', reason: '' }

export function attributesOf(user: UserInfo, info: RequestInfo): Attributes {
  const { verb, isResource, group, version, resource, subresource, namespace, path } = info
  return {
    user,
    verb,
    isResource,
    group,
    version,
    resource,
    subresource,
    namespace: resource === 'namespaces' && group === '' ? info.namespace : namespace,
    name: info.authorizedName,
    path,
    ...(info.query.size === 0 ? {} : selectedBy(verb, info.query)),
  }
}

/** `User "x" cannot list resource "pods" in API group "" in the namespace "y"` */
export function sentenceOf(attributes: Attributes): string {
  const { user, verb, path, group, resource, subresource, namespace } = attributes
  if (!attributes.isResource) return `User "${user.name}" cannot ${verb} path "${path}"`
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  return `User "${user.name}" cannot ${verb} resource "${what}" in API group "${group}" ${where}`
}
