// The stage that asks: may this user do this? The first authorizer with an opinion decides; without one the answer is no.

import { ApiError } from '@aksel/base/errors'
import { masters } from '../authentication/user-info.ts'
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
      const errors: string[] = []
      for (const authorizer of authorizers) {
        const decision = await authorizer.authorize(attributes)
        if (decision.verdict !== 'no opinion') return decision
        if (decision.reason !== '') reasons.push(decision.reason)
        if (decision.error !== undefined) errors.push(decision.error)
      }
      const reason = reasons.join(', ')
      if (errors.length === 0) return { verdict: 'no opinion', reason }
      return { verdict: 'no opinion', reason, error: errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]` }
    },
  }
}

/** Throws Forbidden in upstream's words. */
export async function assertAllowed(authorizer: Authorizer, attributes: Attributes): Promise<Decision> {
  const decision = await authorizer.authorize(attributes)
  if (decision.verdict === 'allow') return decision
  throw deniedError(attributes, decision)
}

/** Forbidden, in upstream's words; InternalError where nobody could judge. */
export function deniedError(attributes: Attributes, { reason, error }: Decision): ApiError {
  if (error !== undefined) return new ApiError('InternalError', `Internal Server Error: "${attributes.path}": ${error}`)
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
