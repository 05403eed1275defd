// A request as a SubjectAccessReview: what a webhook is asked, and what expressions see.

import type { Attributes } from './attributes.ts'

export interface ReviewSpec {
  readonly resourceAttributes?: Readonly<Record<string, unknown>>
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string }
  readonly user: string
  readonly groups?: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
  readonly uid?: string
}

export function reviewSpecOf(attributes: Attributes): ReviewSpec {
  const { user, verb, path, isResource } = attributes
  return {
    ...(isResource ? { resourceAttributes: resourceOf(attributes) } : { nonResourceAttributes: { path, verb } }),
    user: user.name,
    ...(user.groups.length === 0 ? {} : { groups: user.groups }),
    ...(user.extra === undefined ? {} : { extra: user.extra }),
    ...(user.uid === undefined ? {} : { uid: user.uid }),
  }
}

/** Empty texts are left out, as Go leaves them out. */
function resourceOf(attributes: Attributes): Readonly<Record<string, unknown>> {
  const { namespace, verb, group, version, resource, subresource, name, fieldSelector, labelSelector } = attributes
  const all = { namespace, verb, group, version, resource, subresource, name }
  const filled = Object.entries(all).filter(([, value]) => value !== '')
  return {
    ...Object.fromEntries(filled),
    ...(fieldSelector === undefined ? {} : { fieldSelector: { requirements: fieldSelector } }),
    ...(labelSelector === undefined ? {} : { labelSelector: { requirements: labelSelector } }),
  }
}
