// What all grants of the token endpoint share: the form, the tenant, the audience, and a refusal in Entra's shape.

import { uuid } from '@aksel/base/ids'
import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { ArmRequest, ArmResponse } from './route.ts'
import type { Identity } from './tokens.ts'

export const tenantWords: readonly string[] = ['common', 'organizations', 'adfs']

export function isTenant(tenant: string, identity: Identity): boolean {
  return tenantWords.includes(tenant.toLowerCase()) || tenant.toLowerCase() === identity.tenantId.toLowerCase()
}

export function formOf({ body }: ArmRequest): URLSearchParams {
  return body instanceof URLSearchParams ? body : new URLSearchParams()
}

/** Scopes about who signs in: Go's client library, and kubelogin with it, names them beside the one that a token is for. */
const SIGN_IN_SCOPES = ['openid', 'offline_access', 'profile', 'email']

export function audienceOf(form: URLSearchParams): string | undefined {
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
  const scope = scopes.find((one) => !SIGN_IN_SCOPES.includes(one.toLowerCase()))
  const asked = scope ?? form.get('resource') ?? undefined
  const named = permissions.find((name) => asked?.endsWith(name) === true)
  return named === undefined ? asked : withoutTrailingSlashes(asked!.slice(0, -named.length))
}

/** What of a resource is asked for: all that there is, or to act for somebody. */
const permissions = ['.default', 'user_impersonation']

export function refused(request: ArmRequest, status: number, error: string, number: number, text: string): ArmResponse {
  const { scope } = request
  const timestamp = `${new Date(scope.clock.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`
  return {
    status,
    body: {
      error,
      error_description: `AADSTS${number}: ${text}`,
      error_codes: [number],
      timestamp,
      trace_id: uuid(scope.random),
      correlation_id: request.query['client-request-id'] ?? uuid(scope.random),
    },
  }
}
