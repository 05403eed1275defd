// Identities, registries, workspaces, vaults and the rest that AKS templates bring along, as Azure shows them.

import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { suffixes } from '../../front-door/suffixes.ts'
import type { Json } from '../../records.ts'
import { isObject, textAt } from '../body.ts'
import { invalidProperty, type MadeContext, type NeighbourType } from './neighbour-type.ts'

const now = ({ scope }: MadeContext): string => new Date(scope.clock.now()).toISOString()

/** 64 bytes, as agents of a workspace know them. */
const sharedKey = (scope: Scope): string => Buffer.from(scope.random.nextBytes(64)).toString('base64')

function judgeSku(envelope: Json, known: readonly string[]): void {
  const name = isObject(envelope['sku']) ? textAt(envelope['sku'], 'name') : undefined
  if (name === undefined || !known.some((one) => one.toLowerCase() === name.toLowerCase()))
    throw invalidProperty('sku.name', `it is one of ${known.join(', ')}`)
}

const userAssignedIdentities: NeighbourType = {
  namespace: 'Microsoft.ManagedIdentity',
  path: 'userAssignedIdentities',
  nameForm: /^[a-z0-9][\w-]{2,127}$/i,
  nameWords: 'it has 3 to 128 letters, digits, hyphens and underscores and begins with a letter or a digit',
  made: ({ scope, tenantId }) => ({ tenantId, principalId: uuid(scope.random), clientId: uuid(scope.random) }),
}

const registries: NeighbourType = {
  namespace: 'Microsoft.ContainerRegistry',
  path: 'registries',
  nameForm: /^[a-z0-9]{5,50}$/i,
  nameWords: 'it has 5 to 50 letters and digits',
  envelope: ['sku', 'identity', 'zones'],
  judge: (_, envelope) => judgeSku(envelope, ['Basic', 'Standard', 'Premium']),
  taken: (name) =>
    new ArmError(
      409,
      'AlreadyInUse',
      `The registry DNS name ${name.toLowerCase()}.${suffixes.registry} is already in use. You can check if the name is already claimed using following API: https://docs.microsoft.com/rest/api/containerregistry/registries/checknameavailability`,
    ),
  made: (context) => ({
    loginServer: `${context.name.toLowerCase()}.${suffixes.registry}`,
    creationDate: now(context),
    provisioningState: 'Succeeded',
  }),
  defaults: {
    adminUserEnabled: false,
    publicNetworkAccess: 'Enabled',
    networkRuleBypassOptions: 'AzureServices',
    zoneRedundancy: 'Disabled',
    anonymousPullEnabled: false,
    dataEndpointEnabled: false,
  },
}

const workspaces: NeighbourType = {
  namespace: 'Microsoft.OperationalInsights',
  path: 'workspaces',
  nameForm: /^[a-z0-9][a-z0-9-]{2,61}[a-z0-9]$/i,
  nameWords: 'it has 4 to 63 letters, digits and hyphens, and no hyphen at its ends',
  envelope: ['identity'],
  judge: (properties) => {
    const days = properties['retentionInDays']
    if (days !== undefined && (typeof days !== 'number' || days < 7 || days > 730))
      throw invalidProperty('properties.retentionInDays', 'it is between 7 and 730')
  },
  made: (context) => ({
    customerId: uuid(context.scope.random),
    provisioningState: 'Succeeded',
    createdDate: now(context),
    features: { legacy: 0, searchVersion: 1, enableLogAccessUsingOnlyResourcePermissions: true },
  }),
  secrets: {
    sharedKeys: (scope) => ({ primarySharedKey: sharedKey(scope), secondarySharedKey: sharedKey(scope) }),
  },
  defaults: {
    sku: { name: 'PerGB2018' },
    retentionInDays: 30,
    publicNetworkAccessForIngestion: 'Enabled',
    publicNetworkAccessForQuery: 'Enabled',
  },
}

const vaults: NeighbourType = {
  namespace: 'Microsoft.KeyVault',
  path: 'vaults',
  nameForm: /^[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]$/i,
  nameWords:
    'it has 3 to 24 letters, digits and single hyphens, begins with a letter and ends with none of the hyphens',
  judge: (properties) => {
    if (textAt(properties, 'tenantId') === undefined) throw invalidProperty('properties.tenantId', 'it is required')
    judgeSku({ sku: properties['sku'] }, ['standard', 'premium'])
    const byRole = properties['enableRbacAuthorization'] === true
    if (!byRole && !Array.isArray(properties['accessPolicies']))
      throw invalidProperty('properties.accessPolicies', 'it is required unless enableRbacAuthorization is true')
  },
  taken: (name) =>
    new ArmError(
      409,
      'VaultAlreadyExists',
      `The vault name '${name}' is already in use. Vault names are globally unique so it is possible that the name is already taken.`,
    ),
  made: ({ name }) => ({
    vaultUri: `https://${name.toLowerCase()}.${suffixes.keyVault}/`,
    provisioningState: 'Succeeded',
  }),
  defaults: { enableSoftDelete: true, softDeleteRetentionInDays: 90, publicNetworkAccess: 'Enabled' },
}

const dataCollectionRules: NeighbourType = {
  namespace: 'Microsoft.Insights',
  path: 'dataCollectionRules',
  nameForm: /^[\w.()-]{1,64}$/,
  nameWords: 'it has 1 to 64 letters, digits and signs',
  envelope: ['kind', 'identity'],
  made: ({ scope }) => ({
    immutableId: `dcr-${uuid(scope.random).replaceAll('-', '')}`,
    provisioningState: 'Succeeded',
  }),
}

const dataCollectionEndpoints: NeighbourType = {
  ...dataCollectionRules,
  path: 'dataCollectionEndpoints',
  made: ({ scope, name }) => ({
    immutableId: `dce-${uuid(scope.random).replaceAll('-', '')}`,
    configurationAccess: { endpoint: `https://${name}.handler.control.monitor.aksel.local` },
    logsIngestion: { endpoint: `https://${name}.ingest.monitor.aksel.local` },
    provisioningState: 'Succeeded',
  }),
}

const monitorAccounts: NeighbourType = {
  namespace: 'Microsoft.Monitor',
  path: 'accounts',
  nameForm: /^[a-z0-9][a-z0-9-]{2,42}[a-z0-9]$/i,
  nameWords: 'it has 4 to 44 letters, digits and hyphens',
  made: ({ scope, name }) => ({
    accountId: uuid(scope.random),
    metrics: { prometheusQueryEndpoint: `https://${name}.prometheus.monitor.aksel.local` },
    provisioningState: 'Succeeded',
  }),
}

const dashboards: NeighbourType = {
  namespace: 'Microsoft.Dashboard',
  path: 'grafana',
  nameForm: /^[a-z][a-z0-9-]{0,21}[a-z0-9]$/i,
  nameWords: 'it has 2 to 23 letters, digits and hyphens and begins with a letter',
  envelope: ['sku', 'identity'],
  judge: (_, envelope) => judgeSku(envelope, ['Essential', 'Standard']),
  made: ({ name }) => ({ endpoint: `https://${name}.grafana.aksel.local`, provisioningState: 'Succeeded' }),
}

export const neighbourTypes: readonly NeighbourType[] = [
  userAssignedIdentities,
  registries,
  workspaces,
  vaults,
  dataCollectionRules,
  dataCollectionEndpoints,
  monitorAccounts,
  dashboards,
]
