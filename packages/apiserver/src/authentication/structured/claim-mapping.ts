// The claims of a verified token become a user, or the reason why not.

import type { Program } from '@aksel/cel/compile'
import { toJson } from '@aksel/cel/to-json'
import { authenticated, wireUser, type UserInfo } from '../user-info.ts'
import type { JwtConfiguration, PrefixedMapping } from '@aksel/api/authentication-configuration'
import { claimsProgram, userProgram } from './expressions.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Throws an Error that says what the token lacks; the text is for the log, not for the caller. */
export type MapClaims = (claims: Claims) => UserInfo

interface Rule {
  readonly program: Program
  readonly message: string
}

/** Compiles once. The configuration must have passed `judgeConfiguration`. */
export function claimMapping({
  claimMappings,
  claimValidationRules = [],
  userValidationRules = [],
}: JwtConfiguration): MapClaims {
  const rule = (program: Program, expression: string, message: string | undefined): Rule => ({
    program,
    message: message || `validation expression "${expression}" failed`,
  })
  const required = claimValidationRules.filter(({ claim = '' }) => claim !== '')
  const claimRules = claimValidationRules
    .filter(({ expression = '' }) => expression !== '')
    .map(({ expression = '', message }) => rule(claimsProgram(expression, ['bool']), expression, message))
  const userRules = userValidationRules.map(({ expression, message }) =>
    rule(userProgram(expression, ['bool']), expression, message),
  )
  const username = reader(claimMappings.username)
  const groups = reader(claimMappings.groups ?? {})
  const uid = reader(claimMappings.uid ?? {})
  const extra = (claimMappings.extra ?? []).map(
    ({ key, valueExpression }) => [key, reader({ expression: valueExpression })] as const,
  )
  return (claims) => {
    for (const { claim = '', requiredValue = '' } of required) {
      if (claims[claim] === undefined) throw new Error(`oidc: required claim ${claim} not present in ID token`)
      if (claims[claim] !== requiredValue)
        throw new Error(
          `oidc: required claim ${claim} value does not match. Got = ${JSON.stringify(claims[claim])}, want = ${requiredValue}`,
        )
    }
    for (const { program, message } of claimRules) hold(program, { claims }, message)
    if (
      claimMappings.username.claim === 'email' &&
      Object.hasOwn(claims, 'email_verified') &&
      claims['email_verified'] !== true
    )
      throw new Error('oidc: email not verified')
    const user: UserInfo = {
      name: oneText(username(claims), 'username'),
      groups: textsOf(groups(claims), 'groups'),
      ...present('uid', uid(claims) === undefined ? undefined : oneText(uid(claims), 'uid')),
      ...present('extra', extraOf(extra, claims)),
    }
    if (user.name === '') throw new Error('oidc: username claim or expression evaluated to an empty text')
    const shown = {
      username: user.name,
      uid: user.uid ?? '',
      groups: user.groups,
      extra: wireUser(user)['extra'] ?? {},
    }
    for (const { program, message } of userRules) hold(program, { user: shown }, message)
    return authenticated(user)
  }
}

type Read = (claims: Claims) => unknown

function reader({ claim = '', prefix = '', expression = '' }: PrefixedMapping): Read {
  if (expression !== '') {
    const program = claimsProgram(expression, ['string', 'list', 'bool'])
    return (claims) => toJson(program.evaluate({ claims }).value)
  }
  if (claim === '') return () => undefined
  return (claims) => prefixed(claims[claim], prefix)
}

function prefixed(value: unknown, prefix: string): unknown {
  if (Array.isArray(value)) return value.map((one) => prefixed(one, prefix))
  return typeof value === 'string' ? `${prefix}${value}` : value
}

function hold(program: Program, variables: Readonly<Record<string, unknown>>, message: string): void {
  if (program.evaluate(variables).value !== true) throw new Error(`oidc: ${message}`)
}

function oneText(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new Error(`oidc: ${what} must be a text, found ${JSON.stringify(value) ?? 'nothing'}`)
}

function textsOf(value: unknown, what: string): readonly string[] {
  if (value === undefined || value === null || value === '') return []
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  return list.map((one) => oneText(one, what))
}

function extraOf(
  extra: readonly (readonly [string, Read])[],
  claims: Claims,
): Readonly<Record<string, readonly string[]>> | undefined {
  const found = extra.map(([key, read]) => [key, textsOf(read(claims), `extra ${key}`)] as const)
  const filled = found.filter(([, values]) => values.length > 0)
  return filled.length === 0 ? undefined : Object.fromEntries(filled)
}

function present<K extends string, V>(key: K, value: V | undefined): Readonly<Partial<Record<K, V>>> {
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<K, V>>
}
