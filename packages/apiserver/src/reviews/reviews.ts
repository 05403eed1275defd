// Reviews: questions that are answered and not stored. May I? May they? Who am I? Whose token is this?

import type { TokenReview } from '@aksel/api/types/authentication-v1'
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '@aksel/api/types/authorization-v1'
import { invalid, invalidError, required } from '@aksel/api/field-errors'
import type { KubernetesObject } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import type { Attributes } from '../authorization/attributes.ts'
import { selectedByReview, selectorFaults } from '../authorization/selectors.ts'
import type { RbacAuthorizer } from '../authorization/rbac.ts'
import type { Notes, TokenUsers } from '../authentication/authenticate.ts'
import { wireUser, type UserInfo } from '../authentication/user-info.ts'
import type { ResourceCall } from '../call-context.ts'
import { jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { bodyTypeOf } from '../registry/decode.ts'
import { bodyObject } from '../registry/read-body.ts'
import { withoutTable, type VerbTools } from '../registry/verbs.ts'
import { writeOptionsOf } from '../registry/write-options.ts'

export interface ReviewTools {
  readonly rbac: RbacAuthorizer
  /** Why the rules that can be listed are not all, where they are not. */
  readonly unlistable: () => string | undefined
  readonly tokens: TokenUsers
  readonly audiences: readonly string[]
}

export type ReviewHandler = (tools: VerbTools, context: ResourceCall) => Promise<Answer>

/** By `group/plural`. */
export function reviewHandlers(review: ReviewTools): Readonly<Record<string, ReviewHandler>> {
  const answered =
    <T>(statusOf: (object: T, context: ResourceCall, tools: VerbTools) => Promise<unknown>): ReviewHandler =>
    async (tools, context) => {
      withoutTable(context.call.headers['accept'])
      const object = await bodyObject(
        tools,
        context,
        bodyTypeOf(context.row),
        writeOptionsOf('CreateOptions', context.info.query),
      )
      const status = await statusOf(object as unknown as T, context, tools)
      return jsonAnswer(201, { ...object, status })
    }
  return {
    'authorization.k8s.io/selfsubjectaccessreviews': answered<SelfSubjectAccessReview>((object, context) =>
      access(context, context.user, object),
    ),
    'authorization.k8s.io/subjectaccessreviews': answered<SubjectAccessReview>((object, context) =>
      access(context, subjectOf(object), object),
    ),
    'authorization.k8s.io/localsubjectaccessreviews': answered<LocalSubjectAccessReview>((object, context) =>
      localAccess(context, object),
    ),
    'authorization.k8s.io/selfsubjectrulesreviews': answered<SelfSubjectRulesReview>((object, context) =>
      rules(review, context, object),
    ),
    'authentication.k8s.io/tokenreviews': answered<TokenReview>((object, context) => token(review, object, context)),
    'authentication.k8s.io/selfsubjectreviews': async (tools, context) => {
      const object = await bodyObject(
        tools,
        context,
        bodyTypeOf(context.row),
        writeOptionsOf('CreateOptions', context.info.query),
      )
      const creationTimestamp = formatTime(tools.registry.scope.clock.now())
      return jsonAnswer(201, {
        ...(object as KubernetesObject),
        metadata: { creationTimestamp },
        status: { userInfo: wireUser(context.user) },
      })
    },
  }
}

interface AccessSpec {
  readonly spec: Pick<SelfSubjectAccessReview['spec'], 'resourceAttributes' | 'nonResourceAttributes'>
}

async function access({ authorizer, row }: ResourceCall, user: UserInfo, { spec }: AccessSpec): Promise<unknown> {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec
  if ((resource === undefined) === (path === undefined)) {
    const value = resource === undefined ? null : spec.nonResourceAttributes
    const detail =
      resource === undefined
        ? 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
        : 'cannot be specified in combination with resourceAttributes'
    const field = resource === undefined ? 'spec.resourceAttributes' : 'spec.nonResourceAttributes'
    throw invalidError({ group: row.group, kind: row.kind, name: '' }, [invalid(field, value, detail)])
  }
  const selectors = ['fieldSelector', 'labelSelector'] as const
  const errors = selectors.flatMap((one) => selectorFaults(resource?.[one], `spec.resourceAttributes.${one}`))
  if (errors.length > 0) throw invalidError({ group: row.group, kind: row.kind, name: '' }, errors)
  const { faults, ...selected } = selectedByReview(resource ?? {})
  const attributes: Attributes = {
    user,
    isResource: resource !== undefined,
    verb: resource?.verb ?? path?.verb ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    path: path?.path ?? '',
    ...selected,
  }
  const { verdict, reason, error } = await authorizer.authorize(attributes)
  const notes = [...(error === undefined ? [] : [error]), ...faults]
  return {
    allowed: verdict === 'allow',
    ...(verdict === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
    ...(notes.length === 0 ? {} : { evaluationError: notes.length === 1 ? notes[0]! : `[${notes.join(', ')}]` }),
  }
}

function localAccess(context: ResourceCall, object: LocalSubjectAccessReview): Promise<unknown> {
  const { row, info } = context
  const namespace = object.spec.resourceAttributes?.namespace ?? ''
  if (namespace !== info.namespace) {
    const error = invalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace')
    throw invalidError({ group: row.group, kind: row.kind, name: '' }, [error])
  }
  return access(context, subjectOf(object), object)
}

function subjectOf({ spec }: SubjectAccessReview | LocalSubjectAccessReview): UserInfo {
  if (!spec.user && !spec.groups?.length) {
    const subject = { group: 'authorization.k8s.io', kind: 'SubjectAccessReview', name: '' }
    throw invalidError(subject, [invalid('spec.user', '', 'at least one of user or group must be specified')])
  }
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.extra === undefined ? {} : { extra: spec.extra as Readonly<Record<string, readonly string[]>> }),
  }
}

async function rules(
  review: ReviewTools,
  { user, row }: ResourceCall,
  { spec }: SelfSubjectRulesReview,
): Promise<unknown> {
  const namespace = spec.namespace ?? ''
  if (namespace === '') throw new ApiError('BadRequest', `no namespace on request: ${row.kind} needs spec.namespace`)
  const all = await review.rbac.rulesFor(user, namespace)
  const resourceRules = all
    .filter((rule) => (rule.resources ?? []).length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames === undefined ? {} : { resourceNames }),
    }))
  const nonResourceRules = all
    .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }))
  const evaluationError = review.unlistable()
  if (evaluationError !== undefined) return { resourceRules, nonResourceRules, incomplete: true, evaluationError }
  return { resourceRules, nonResourceRules, incomplete: false }
}

async function token(review: ReviewTools, { spec }: TokenReview, notes: Notes): Promise<unknown> {
  if (!spec.token) {
    throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenReview', name: '' }, [required('spec.token')])
  }
  const audiences = spec.audiences?.length ? spec.audiences : review.audiences
  const verdict = await review.tokens.userOf(spec.token, audiences, notes)
  if (verdict === undefined) return { user: {}, error: '[invalid bearer token]' }
  return { authenticated: true, user: wireUser(verdict.user), audiences: verdict.audiences }
}
