// Which api-versions are spoken: known and newer ones are, malformed ones and those older than the first are not.

import { ArmError } from '@aksel/base/errors'

interface Provider {
  readonly namespace: string
  /** Older than this was never published. */
  readonly first: string
  /** Offered in listings, newest first. */
  readonly versions: readonly string[]
}

export const providers: readonly Provider[] = [
  {
    namespace: 'Microsoft.Resources',
    first: '2014-04-01',
    versions: ['2025-04-01', '2024-11-01', '2023-07-01', '2022-09-01', '2021-04-01', '2020-06-01', '2019-10-01'],
  },
  {
    namespace: 'Microsoft.ContainerService',
    first: '2017-07-01',
    versions: [
      '2026-06-01',
      '2026-04-01',
      '2026-01-01',
      '2025-10-01',
      '2025-05-01',
      '2024-10-01',
      '2023-10-01',
      '2022-11-01',
    ],
  },
  {
    namespace: 'Microsoft.Network',
    first: '2015-05-01',
    versions: ['2025-03-01', '2025-01-01', '2024-10-01', '2024-05-01', '2023-11-01', '2022-07-01', '2020-11-01'],
  },
  { namespace: 'Microsoft.ManagedIdentity', first: '2015-08-31', versions: ['2024-11-30', '2023-01-31', '2018-11-30'] },
  {
    namespace: 'Microsoft.ContainerRegistry',
    first: '2017-03-01',
    versions: ['2025-11-01', '2025-04-01', '2023-07-01'],
  },
  {
    namespace: 'Microsoft.OperationalInsights',
    first: '2015-03-20',
    versions: ['2025-02-01', '2023-09-01', '2022-10-01', '2020-08-01'],
  },
  { namespace: 'Microsoft.Authorization', first: '2015-01-01', versions: ['2022-04-01', '2020-05-01', '2017-04-01'] },
  { namespace: 'Microsoft.KeyVault', first: '2015-06-01', versions: ['2024-11-01', '2023-07-01', '2022-07-01'] },
  { namespace: 'Microsoft.Insights', first: '2014-04-01', versions: ['2023-03-11', '2022-06-01', '2021-04-01'] },
  {
    namespace: 'Microsoft.ResourceHealth',
    first: '2015-01-01',
    versions: ['2025-05-01', '2023-10-01-preview', '2022-10-01', '2020-05-01', '2018-07-01'],
  },
  { namespace: 'Microsoft.Monitor', first: '2021-06-03', versions: ['2023-04-03', '2021-06-03'] },
  { namespace: 'Microsoft.Dashboard', first: '2021-09-01', versions: ['2024-10-01', '2023-09-01', '2022-08-01'] },
  {
    namespace: 'Microsoft.Compute',
    first: '2015-06-15',
    versions: ['2025-04-01', '2024-11-01', '2024-07-01', '2021-07-01', '2019-04-01'],
  },
]

const wellFormed = /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-(preview|alpha|beta|privatepreview))?$/i

/** Throws unless requests to this path may use the version. */
export function judgeApiVersion(version: string | undefined, path: string): void {
  if (version === undefined || version === '') {
    throw new ArmError(
      400,
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    )
  }
  // An extension resource goes by the versions of its own provider, which stands last.
  const match = /^[^?]*\/providers\/(microsoft\.[^/?]+)(?:\/locations\/[^/?]+)?\/([^/?]+)/i.exec(path)
  const provider =
    providers.find(({ namespace }) => namespace.toLowerCase() === match?.[1]?.toLowerCase()) ?? providers[0]!
  // Operation addresses carry a version of their own, older than the resource's.
  const first = /^operation(s|results)$/i.test(match?.[2] ?? '') ? '2016-03-30' : provider.first
  if (wellFormed.test(version) && version.slice(0, 10) >= first) return
  const supported = provider.versions.join(', ')
  if (match === null || provider === providers[0]) {
    throw new ArmError(
      400,
      'InvalidApiVersionParameter',
      `The api-version '${version}' is invalid. The supported versions are '${supported}'.`,
    )
  }
  throw new ArmError(
    400,
    'NoRegisteredProviderFound',
    `No registered resource provider found for location '' and API version '${version}' for type '${match[2]}'. The supported api-versions are '${supported}'.`,
  )
}

/** The newest version that is offered for the type that an id is of. */
export function newestVersion(id: string): string {
  const namespace = /^.*\/providers\/(microsoft\.[^/?]+)/i.exec(id)?.[1]?.toLowerCase()
  const provider = providers.find((one) => one.namespace.toLowerCase() === namespace) ?? providers[0]!
  return provider.versions[0]!
}
