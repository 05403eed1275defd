// External identity providers of a cluster: what the resource says, judged, and as the API server's configuration.

import type { AuthenticationConfiguration, JwtConfiguration } from '@aksel/api/authentication-configuration'
import { AksError, invalidParameter } from '../../azure-errors.ts'
import type { JwtAuthenticatorRecord, Json } from '../../records.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { objectAt, readObject } from '../body.ts'
import { readShape, type Shape } from './shape.ts'

export const jwtAuthenticatorType = 'Microsoft.ContainerService/managedClusters/jwtAuthenticators'

const expression: Shape = { fields: { expression: 'string' } }
const rule: Shape = { fields: { expression: 'string', message: 'string' } }
const shape: Shape = {
  fields: {
    issuer: { fields: { url: 'string', audiences: { list: 'string' } } },
    claimValidationRules: { list: rule },
    claimMappings: {
      fields: {
        username: expression,
        groups: expression,
        uid: expression,
        extra: { list: { fields: { key: 'string', valueExpression: 'string' } } },
      },
    },
    userValidationRules: { list: rule },
  },
}

/** Users and groups of external providers carry it, so that none of them passes for another. */
const PREFIX = 'aks:jwt:'

/** Hosts whose tokens AKS takes through its own integration only. */
const entraHosts =
  /(^|\.)(login\.microsoftonline\.com|login\.microsoftonline\.us|login\.partner\.microsoftonline\.cn|sts\.windows\.net)$/i

export interface JwtAuthenticatorProperties {
  readonly issuer: { readonly url: string; readonly audiences: readonly string[] }
  readonly claimValidationRules?: JwtConfiguration['claimValidationRules']
  readonly claimMappings: JwtConfiguration['claimMappings']
  readonly userValidationRules?: JwtConfiguration['userValidationRules']
}

export function judgeAuthenticatorName(name: string): string {
  if (/^[a-z][a-z0-9]{0,23}$/.test(name)) return name
  throw invalidParameter(
    'jwtAuthenticatorName',
    `JWT authenticator name '${name}' must start with a lower-case letter and hold at most 24 lower-case letters and digits`,
  )
}

/** Throws for another type, and for what is missing; expressions are judged by the control plane. */
export function readAuthenticator(body: unknown): JwtAuthenticatorProperties {
  const given = objectAt(readObject(body), 'properties')
  const { provisioningState: _, ...read } = readShape(given, shape, 'JWTAuthenticator.properties') as Json
  const properties = read as unknown as Partial<JwtAuthenticatorProperties>
  const { issuer, claimMappings } = properties
  if (issuer?.url === undefined) throw invalidParameter('properties.issuer.url', 'the URL of the issuer is required')
  if ((issuer.audiences ?? []).length === 0)
    throw invalidParameter('properties.issuer.audiences', 'at least one audience is required')
  if ((claimMappings?.username?.expression ?? '') === '')
    throw invalidParameter('properties.claimMappings.username.expression', 'the expression is required')
  if (isEntra(issuer.url))
    throw invalidParameter(
      'properties.issuer.url',
      'Microsoft Entra ID is not supported as issuer: use the AAD profile',
    )
  return properties as JwtAuthenticatorProperties
}

function isEntra(url: string): boolean {
  try {
    return entraHosts.test(new URL(url).hostname)
  } catch {
    return false
  }
}

/** Of all authenticators of a cluster, in the order of their names. */
export function configurationOf(all: readonly JwtAuthenticatorProperties[]): AuthenticationConfiguration {
  return all.length === 0 ? {} : { jwt: all.map(jwtOf) }
}

function jwtOf({
  issuer,
  claimValidationRules,
  claimMappings,
  userValidationRules = [],
}: JwtAuthenticatorProperties): JwtConfiguration {
  const several = issuer.audiences.length > 1 ? { audienceMatchPolicy: 'MatchAny' } : {}
  return {
    issuer: { ...issuer, ...several },
    ...(claimValidationRules === undefined ? {} : { claimValidationRules }),
    claimMappings,
    userValidationRules: [
      ...userValidationRules,
      { expression: `user.username.startsWith('${PREFIX}')`, message: `username must start with ${PREFIX}` },
      {
        expression: `user.groups.all(group, group.startsWith('${PREFIX}'))`,
        message: `groups must start with ${PREFIX}`,
      },
    ],
  }
}

/** Throws with what the control plane finds wrong with the one at `index`, or with all together. */
export function judgeFaults(faults: readonly string[], index: number): void {
  const [first] = faults
  if (first === undefined) return
  const own = `jwt[${index}].`
  const shown = faults.filter((fault) => fault.startsWith(own)).map((fault) => fault.slice(own.length))
  const message = (shown.length > 0 ? shown : faults).join('; ')
  throw new AksError(400, 'InvalidParameter', `The JWT authenticator is invalid: ${message}`, { target: 'properties' })
}

export function authenticatorBody(record: JwtAuthenticatorRecord): Json {
  return {
    id: record.id,
    name: record.name,
    type: jwtAuthenticatorType,
    properties: { ...record.properties, provisioningState: record.progress.provisioningState },
    systemData: record.systemData,
  }
}

export async function authenticatorsOf(
  store: ResourceStore,
  clusterId: string,
): Promise<readonly Stored<JwtAuthenticatorRecord>[]> {
  return store.list<JwtAuthenticatorRecord>(keys.below(`${clusterId}/jwtAuthenticators`))
}
