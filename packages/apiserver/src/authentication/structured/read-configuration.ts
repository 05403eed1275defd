// Reads the file that upstream's `--authentication-config` names.

import type { AuthenticationConfiguration, JwtConfiguration } from '@aksel/api/authentication-configuration'
import { readConfiguration, type ConfigurationKind } from '../../configuration-file.ts'
import { judgeConfiguration } from './configuration.ts'

const mapping = { claim: 'string', prefix: 'string', expression: 'string' } as const

const configurationKind: ConfigurationKind = {
  kind: 'AuthenticationConfiguration',
  apiVersions: ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`),
  fields: {
    jwt: [
      {
        issuer: {
          url: 'string',
          discoveryURL: 'string',
          certificateAuthority: 'string',
          audiences: 'strings',
          audienceMatchPolicy: 'string',
          egressSelectorType: 'string',
        },
        claimValidationRules: [{ claim: 'string', requiredValue: 'string', expression: 'string', message: 'string' }],
        claimMappings: {
          username: mapping,
          groups: mapping,
          uid: { claim: 'string', expression: 'string' },
          extra: [{ key: 'string', valueExpression: 'string' }],
        },
        userValidationRules: [{ expression: 'string', message: 'string' }],
      },
    ],
    anonymous: { enabled: 'boolean', conditions: [{ path: 'string' }] },
  },
}

/** Throws an Error in words for its writer. What only one cluster can judge, its own issuer, is judged there. */
export async function readAuthenticationConfiguration(text: string): Promise<AuthenticationConfiguration> {
  const { jwt, anonymous } = (await readConfiguration(text, configurationKind)) as {
    readonly jwt?: readonly Partial<JwtConfiguration>[] | null
    readonly anonymous?: AuthenticationConfiguration['anonymous'] | null
  }
  const configuration: AuthenticationConfiguration = {
    jwt: (jwt ?? []).map(whole),
    ...(anonymous ? { anonymous: { ...anonymous, enabled: anonymous.enabled ?? false } } : {}),
  }
  const faults = judgeConfiguration(configuration, undefined)
  if (faults.length > 0) throw new Error(faults.map(({ field, message }) => `${field}: ${message}`).join(', '))
  return configuration
}

/** What must be there is, empty where the writer left it out: it is judged then. */
function whole({ issuer, claimMappings, ...rest }: Partial<JwtConfiguration>): JwtConfiguration {
  return {
    ...rest,
    issuer: { ...issuer, url: issuer?.url ?? '', audiences: issuer?.audiences ?? [] },
    claimMappings: { ...claimMappings, username: claimMappings?.username ?? {} },
  }
}
