// What Azure says that nodes of a cluster reach outside: the documented endpoints, with those of the pools and add-ons that there are.

import { page } from '../../front-door/pages.ts'
import type { Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'
import { isObject, objectAt } from '../body.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { poolsOf, readCluster } from './cluster-store.ts'
import { hasGpus } from './gpus.ts'

interface EndpointDetail {
  readonly port: number
  readonly protocol: string
  readonly description?: string
}

interface Endpoint {
  readonly domainName: string
  readonly endpointDetails: readonly EndpointDetail[]
}

export interface OutboundCategory {
  readonly category: string
  readonly endpoints: readonly Endpoint[]
}

const https = (domainName: string, description?: string): Endpoint =>
  at(domainName, { port: 443, protocol: 'Https', ...(description === undefined ? {} : { description }) })
const http = (domainName: string): Endpoint => at(domainName, { port: 80, protocol: 'Http' })
const at = (domainName: string, ...endpointDetails: readonly EndpointDetail[]): Endpoint => ({
  domainName,
  endpointDetails,
})

/** Of every cluster of a region. */
const common: readonly OutboundCategory[] = [
  {
    category: 'azure-resource-management',
    endpoints: [https('management.azure.com'), https('login.microsoftonline.com')],
  },
  { category: 'images', endpoints: [https('mcr.microsoft.com'), https('*.data.mcr.microsoft.com', 'mcr cdn')] },
  {
    category: 'artifacts',
    endpoints: [https('packages.microsoft.com'), https('acs-mirror.azureedge.net'), https('packages.aks.azure.com')],
  },
  { category: 'time-sync', endpoints: [at('ntp.ubuntu.com', { port: 123, protocol: 'UDP' })] },
  {
    category: 'ubuntu-optional',
    endpoints: [http('security.ubuntu.com'), http('azure.archive.ubuntu.com'), http('changelogs.ubuntu.com')],
  },
]

const gpu: OutboundCategory = {
  category: 'gpu',
  endpoints: [https('nvidia.github.io'), https('us.download.nvidia.com'), https('download.docker.com')],
}

const windows: OutboundCategory = {
  category: 'windows',
  endpoints: [
    https('onegetcdn.azureedge.net'),
    https('go.microsoft.com'),
    http('*.mp.microsoft.com'),
    http('www.msftconnecttest.com'),
    http('ctldl.windowsupdate.com'),
  ],
}

const monitoring = (location: string): OutboundCategory => ({
  category: 'addon-monitoring',
  endpoints: [
    https('*.ods.opinsights.azure.com'),
    https('*.oms.opinsights.azure.com'),
    https('dc.services.visualstudio.com'),
    https('*.monitoring.azure.com'),
    https('login.microsoftonline.com'),
    https('global.handler.control.monitor.azure.com'),
    https(`${location}.ingest.monitor.azure.com`),
    https(`${location}.handler.control.monitor.azure.com`),
  ],
})

const policy: OutboundCategory = {
  category: 'addon-azure-policy',
  endpoints: [
    https('data.policy.core.windows.net'),
    https('store.policy.core.windows.net'),
    https('dc.services.visualstudio.com'),
  ],
}

const vaultSecrets: OutboundCategory = {
  category: 'addon-azure-keyvault-secrets-provider',
  endpoints: [https('vault.azure.net')],
}

/** In the order of Azure's own answers. Pure. */
export function outboundDependencies(
  { properties, location, fqdn }: Pick<ClusterRecord, 'properties' | 'location' | 'fqdn'>,
  pools: readonly Pick<PoolRecord, 'properties'>[],
): readonly OutboundCategory[] {
  const has = (addon: string): boolean =>
    Object.entries(objectAt(properties, 'addonProfiles')).some(
      ([name, profile]) => name.toLowerCase() === addon && isObject(profile) && profile['enabled'] === true,
    )
  return [
    ...common,
    ...(pools.some((pool) => hasGpus(pool.properties.vmSize)) ? [gpu] : []),
    ...(pools.some((pool) => pool.properties.osType === 'Windows') ? [windows] : []),
    { category: 'apiserver', endpoints: [https(fqdn)] },
    { category: 'tunnel-classic', endpoints: [at(fqdn, { port: 9000, protocol: 'TCP' })] },
    ...(has('omsagent') ? [monitoring(location)] : []),
    ...(has('azurepolicy') ? [policy] : []),
    ...(has('azurekeyvaultsecretsprovider') ? [vaultSecrets] : []),
  ]
}

export function outboundDependencyRoutes(hub: Hub): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${clusterPath}/outboundNetworkDependenciesEndpoints`,
      handle: async (request) => {
        const { value: cluster } = await readCluster(hub.store, clusterRef(request))
        const pools = (await poolsOf(hub.store, cluster.id)).map(({ value }) => value)
        return page(request, outboundDependencies(cluster, pools))
      },
    },
  ]
}
