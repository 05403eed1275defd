// The documents that are no resources, as OpenAPI paths by key of the index: discovery, version and the tokens' issuer.

import type { KindFact } from '../tables.ts'
import type { OpenApiSchema, OpenApiVersion } from './definitions.ts'
import { groupTag, groupWord } from './operation-names.ts'
import { pathItem } from './operations.ts'
import type { Paths } from './paths.ts'

const everyType = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

export interface RootDocument {
  readonly path: string
  readonly id: string
  readonly description: string
  readonly tag: string
  /** A message reference; absent for text. */
  readonly message?: string
  readonly types: readonly string[]
}

/** By key of the index: `api`, `apis`, `apis/apps`, `version` … */
export function rootDocuments(kinds: readonly KindFact[]): ReadonlyMap<string, RootDocument> {
  const groups = new Set(kinds.map(({ group }) => group).filter((group) => group !== ''))
  return new Map([
    ...fixed,
    ...[...groups].map((group): readonly [string, RootDocument] => [
      `apis/${group}`,
      {
        path: `/apis/${group}/`,
        id: `get${groupWord(group)}APIGroup`,
        description: 'Tells the versions of the group.',
        tag: groupTag(group),
        message: 'meta/v1.APIGroup',
        types: everyType,
      },
    ]),
  ])
}

const fixed: readonly (readonly [string, RootDocument])[] = [
  [
    'api',
    {
      path: '/api/',
      id: 'getCoreAPIVersions',
      description: 'Tells the versions of the core group.',
      tag: 'core',
      message: 'meta/v1.APIVersions',
      types: everyType,
    },
  ],
  [
    'apis',
    {
      path: '/apis/',
      id: 'getAPIVersions',
      description: 'Tells the API groups and their versions.',
      tag: 'apis',
      message: 'meta/v1.APIGroupList',
      types: everyType,
    },
  ],
  [
    'version',
    {
      path: '/version/',
      id: 'getCodeVersion',
      description: 'Tells the version of the server.',
      tag: 'version',
      message: 'apimachinery/version.Info',
      types: ['application/json'],
    },
  ],
  [
    '.well-known/openid-configuration',
    {
      path: '/.well-known/openid-configuration/',
      id: 'getServiceAccountIssuerOpenIDConfiguration',
      description: 'Tells who issues tokens of service accounts, and where the keys are.',
      tag: 'WellKnown',
      types: ['application/json'],
    },
  ],
  [
    'openid/v1/jwks',
    {
      path: '/openid/v1/jwks/',
      id: 'getServiceAccountIssuerOpenIDKeyset',
      description: 'Tells the keys that tokens of service accounts are checked with.',
      tag: 'openid',
      types: ['application/jwk-set+json'],
    },
  ],
]

/** `refTo`: a reference to the schema of a message. */
export function rootPathsOf(
  version: OpenApiVersion,
  document: RootDocument,
  refTo: (message: string) => OpenApiSchema,
): Paths {
  const { path, id, description, tag, message, types } = document
  const answer = message === undefined ? { type: 'string' } : refTo(message)
  const request = { id, description, tag, parameters: [], answer, answerTypes: types, codes: [200] }
  return { [path]: pathItem(version, new Map([['get', request]])) }
}
