// Subscriptions, tenants, locations and the registration of resource providers.

import { ArmError } from '@aksel/base/errors'
import { keys } from '../../store-keyspace.ts'
import { regions } from '../../regions.ts'
import { providers } from '../../front-door/api-versions.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type Route } from '../../front-door/route.ts'
import { neighbourTypes } from '../neighbours/neighbour-types.ts'
import { networkTypes } from '../network/network-types.ts'
import type { Hub, Subscription } from '../../hub.ts'

/** Namespaces that clients register although nothing here serves them: they ask before they know. */
const namespacesElsewhere = ['Microsoft.Storage']

const resourceTypes: Readonly<Record<string, readonly string[]>> = {
  'Microsoft.Resources': ['resourceGroups', 'subscriptions', 'tenants', 'deployments', 'deployments/operations'],
  'Microsoft.Authorization': ['locks', 'roleAssignments', 'roleDefinitions'],
  'Microsoft.ContainerService': [
    'managedClusters',
    'managedClusters/agentPools',
    'managedClusters/maintenanceConfigurations',
    'snapshots',
    'locations',
    'locations/kubernetesVersions',
    'locations/operations',
    'locations/operationresults',
  ],
  'Microsoft.Compute': [
    'virtualMachineScaleSets',
    'virtualMachineScaleSets/virtualMachines',
    'skus',
    'locations/usages',
  ],
  'Microsoft.Network': networkTypes.flatMap(({ path, children }) => [
    path,
    ...children.map((child) => `${path}/${child.path}`),
  ]),
  ...Object.fromEntries(
    neighbourTypes.map(({ namespace }) => [
      namespace,
      neighbourTypes.filter((type) => type.namespace === namespace).map(({ path }) => path),
    ]),
  ),
}

export function subscriptionRoutes(hub: Hub): readonly Route[] {
  const one = '/subscriptions/:subscription'
  return [
    { method: 'GET', path: '/tenants', handle: (request) => page(request, [tenant(hub)]) },
    {
      method: 'GET',
      path: '/subscriptions',
      handle: (request) =>
        page(
          request,
          hub.subscriptions.map((known) => subscriptionBody(hub, known)),
        ),
    },
    {
      method: 'GET',
      path: one,
      handle: (request) => {
        const id = param(request, 'subscription').toLowerCase()
        const known = hub.subscriptions.find(({ subscriptionId }) => subscriptionId.toLowerCase() === id)
        return ok(subscriptionBody(hub, known!))
      },
    },
    {
      method: 'GET',
      path: `${one}/locations`,
      handle: (request) =>
        page(
          request,
          byDistance(hub.region).map((region) => locationBody(param(request, 'subscription'), region)),
        ),
    },
    ...providerRoutes(hub, one),
  ]
}

function providerRoutes(hub: Hub, one: string): readonly Route[] {
  const body = (subscriptionId: string, namespace: string): unknown => providerBody(subscriptionId, namespace)
  const known = [...Object.keys(resourceTypes), ...namespacesElsewhere]
  const find = (name: string): string => {
    const found = known.find((namespace) => namespace.toLowerCase() === name.toLowerCase())
    if (found !== undefined) return found
    throw new ArmError(404, 'InvalidResourceNamespace', `The resource namespace '${name}' is invalid.`)
  }
  const register: Route['handle'] = async (request) => {
    const subscriptionId = param(request, 'subscription')
    const namespace = find(param(request, 'namespace'))
    const key = keys.registration(subscriptionId, namespace)
    if ((await hub.store.get(key)) === undefined) {
      const at = new Date(request.scope.clock.now()).toISOString()
      await hub.store.commit([{ kind: 'put', key, value: { namespace, at }, expected: 0 }])
    }
    return ok(body(subscriptionId, namespace))
  }
  return [
    {
      method: 'GET',
      path: `${one}/providers`,
      handle: (request) =>
        page(
          request,
          known.map((namespace) => body(param(request, 'subscription'), namespace)),
        ),
    },
    {
      method: 'GET',
      path: `${one}/providers/:namespace`,
      handle: (request) => ok(body(param(request, 'subscription'), find(param(request, 'namespace')))),
    },
    { method: 'POST', path: `${one}/providers/:namespace/register`, handle: register },
  ]
}

function tenant(hub: Hub): unknown {
  return { id: `/tenants/${hub.tenantId}`, tenantId: hub.tenantId, displayName: 'Aksel', tenantCategory: 'Home' }
}

function subscriptionBody(hub: Hub, { subscriptionId, displayName }: Subscription): unknown {
  return {
    id: `/subscriptions/${subscriptionId}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionId,
    tenantId: hub.tenantId,
    displayName,
    state: 'Enabled',
    subscriptionPolicies: {
      locationPlacementId: 'Public_2014-09-01',
      quotaId: 'PayAsYouGo_2014-09-01',
      spendingLimit: 'Off',
    },
  }
}

/** The server's own region first. */
function byDistance(own: string): readonly (typeof regions)[number][] {
  return [...regions.filter(({ name }) => name === own), ...regions.filter(({ name }) => name !== own)]
}

function locationBody(subscriptionId: string, region: (typeof regions)[number]): unknown {
  return {
    id: `/subscriptions/${subscriptionId}/locations/${region.name}`,
    name: region.name,
    type: 'Region',
    displayName: region.displayName,
    regionalDisplayName: `(${region.geography}) ${region.displayName}`,
    metadata: { regionType: 'Physical', regionCategory: 'Recommended', geographyGroup: region.geography },
  }
}

function providerBody(subscriptionId: string, namespace: string): unknown {
  const versions = providers.find((provider) => provider.namespace === namespace)?.versions ?? []
  const locations = regions.map(({ displayName }) => displayName)
  return {
    id: `/subscriptions/${subscriptionId}/providers/${namespace}`,
    namespace,
    registrationPolicy: 'RegistrationRequired',
    registrationState: 'Registered',
    resourceTypes: (resourceTypes[namespace] ?? []).map((resourceType) => ({
      resourceType,
      locations,
      apiVersions: versions,
      defaultApiVersion: versions[0],
      capabilities: 'None',
    })),
  }
}
