// TokenRequest: a token for a service account, bound to a pod, a secret or a node where asked.

import { invalid, invalidError, type FieldError } from '@aksel/api/field-errors'
import type { TokenRequest } from '@aksel/api/types/authentication-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import { nodeOf } from '../authorization/node-authorizer.ts'
import type { BoundObject, TokenAuthority, TokenSpec } from '../authentication/tokens.ts'
import { admitAction } from '../admission/request.ts'
import type { ResourceCall } from '../call-context.ts'
import { jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { conflictError, forbiddenError, notFoundError } from '../refusals.ts'
import { bodyObject } from '../registry/read-body.ts'
import { writeCallOf, type VerbTools } from '../registry/verbs.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { subresourceBody } from './body.ts'
import type { SubresourceHandler } from './subresources.ts'

const EXPIRATION_DEFAULT_SECONDS = 3600
const EXPIRATION_MIN_SECONDS = 600
const EXPIRATION_MAX_SECONDS = 2 ** 32
/** What projected volumes ask for; such tokens live a year, for clients that never read the file again. */
const PROJECTED_SECONDS = 3607
const YEAR_SECONDS = 365 * 86_400

export function tokenSubresource(authority: TokenAuthority, apiAudiences: readonly string[]): SubresourceHandler {
  return async (tools, context): Promise<Answer> => {
    const { row, info } = context
    const request = (await bodyObject(
      tools,
      context,
      subresourceBody(tools, context),
      writeOptionsOf('CreateOptions', info.query),
    )) as unknown as TokenRequest
    const account = await tools.registry.records.get(row, info.namespace, info.name)
    if (account === undefined) throw notFoundError(row, info.name)
    await admitAction(tools.registry, writeCallOf(context, writeOptionsOf('CreateOptions', info.query)), {
      name: info.name,
      subresource: 'token',
      body: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', object: request },
    })
    const wantedSeconds = request.spec?.expirationSeconds ?? EXPIRATION_DEFAULT_SECONDS
    const errors = expirationErrors(wantedSeconds)
    if (errors.length > 0)
      throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: '' }, errors)
    const bound = await boundTo(tools, context, request)
    const audiences = request.spec?.audiences?.length ? request.spec.audiences : apiAudiences
    const extends_ =
      wantedSeconds === PROJECTED_SECONDS &&
      bound.pod !== undefined &&
      audiences.every((one) => apiAudiences.includes(one))
    const { token, tokenId, expiresAtMs } = authority.issue({
      namespace: info.namespace,
      serviceAccount: { name: info.name, uid: account.object.metadata.uid! },
      audiences,
      expirationSeconds: extends_ ? YEAR_SECONDS : wantedSeconds,
      ...(extends_ ? { warnAfterSeconds: wantedSeconds } : {}),
      ...bound,
    })
    context.annotations?.set('authentication.kubernetes.io/issued-credential-id', `JTI=${tokenId}`)
    const shownMs = extends_ ? tools.registry.scope.clock.now() + wantedSeconds * 1000 : expiresAtMs
    return jsonAnswer(201, {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {
        name: info.name,
        namespace: info.namespace,
        creationTimestamp: formatTime(tools.registry.scope.clock.now()),
      },
      spec: {
        ...request.spec,
        audiences,
        expirationSeconds: wantedSeconds,
        boundObjectRef: request.spec?.boundObjectRef ?? null,
      },
      status: { token, expirationTimestamp: formatTime(shownMs) },
    })
  }
}

function expirationErrors(seconds: number): readonly FieldError[] {
  const field = 'spec.expirationSeconds'
  if (seconds < EXPIRATION_MIN_SECONDS)
    return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')]
  if (seconds > EXPIRATION_MAX_SECONDS)
    return [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')]
  return []
}

type Bound = Pick<TokenSpec, 'pod' | 'secret' | 'node'>

/** What the token will be bound to. A node may only ask for tokens bound to its own pods. */
async function boundTo(tools: VerbTools, context: ResourceCall, request: TokenRequest): Promise<Bound> {
  const { row, info, user } = context
  const reference = request.spec?.boundObjectRef
  const node = nodeOf(user)
  if (reference === undefined) {
    if (node !== undefined) throw forbiddenError(row, info.name, 'node requested token not bound to a pod')
    return {}
  }
  const plural = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }[reference.kind ?? '']
  if (plural === undefined)
    throw new ApiError(
      'BadRequest',
      `cannot bind token to object of type ${reference.apiVersion ?? ''}, Kind=${reference.kind ?? ''}`,
    )
  if (node !== undefined && plural !== 'pods')
    throw forbiddenError(row, info.name, 'node requested token not bound to a pod')
  const boundRow = tools.registry.kinds.find('', 'v1', plural)!
  const record = await tools.registry.records.get(
    boundRow,
    boundRow.namespaced ? info.namespace : '',
    reference.name ?? '',
  )
  if (record === undefined) throw notFoundError(boundRow, reference.name ?? '')
  const { name, uid } = record.object.metadata
  if (reference.uid !== undefined && reference.uid !== '' && reference.uid !== uid) {
    throw conflictError(
      row,
      info.name,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  }
  const bound: BoundObject = { name, uid: uid! }
  if (plural === 'secrets') return { secret: bound }
  if (plural === 'nodes') return { node: bound }
  return podBinding(tools, context, record.object as Pod, bound)
}

async function podBinding(tools: VerbTools, context: ResourceCall, pod: Pod, bound: BoundObject): Promise<Bound> {
  const { row, info, user } = context
  if ((pod.spec?.serviceAccountName ?? 'default') !== info.name) {
    throw new ApiError(
      'BadRequest',
      `cannot bind token for serviceaccount "${info.name}" to pod running with different serviceaccount name.`,
    )
  }
  const nodeName = pod.spec?.nodeName
  const asking = nodeOf(user)
  if (asking !== undefined && asking !== nodeName) {
    throw forbiddenError(row, info.name, 'node requested token bound to a pod scheduled on a different node')
  }
  if (nodeName === undefined || nodeName === '') return { pod: bound }
  const nodes = tools.registry.kinds.find('', 'v1', 'nodes')!
  const node = await tools.registry.records.get(nodes, '', nodeName)
  const uid = node?.object.metadata.uid
  return { pod: bound, node: { name: nodeName, ...(uid === undefined ? {} : { uid }) } }
}
