// Puts together what lets one API be answered by several servers: the registry of APIServices, its local entries, the checks of
// remote ones, and the relay to them.

import type { Catalog } from '@aksel/api/catalog'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import { configMaps } from '@aksel/api/resources'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { CallContext } from '../call-context.ts'
import type { CustomKinds } from '../custom-resources/custom-kinds.ts'
import type { ApiSource } from '../discovery/api-source.ts'
import type { Outcome } from '../pipeline.ts'
import type { Hooks } from '../hooks.ts'
import type { Registry } from '../registry/registry.ts'
import type { ServiceDialer } from '../webhook/service-dialer.ts'
import { ApiServices } from './api-services.ts'
import { AutoRegister, localGroupVersions, type LocalGroupVersion } from './auto-register.ts'
import { Availability } from './availability.ts'
import { authenticationConfigMap, type FrontProxy } from './front-proxy.ts'
import { proxyTo } from './proxy.ts'

export interface AggregationOptions {
  readonly registry: Registry
  readonly catalog: Catalog
  readonly kinds: CustomKinds
  readonly services: ServiceDialer
  readonly objects: Pick<Client, 'get' | 'list'>
  /** Made for this process when absent: other servers then learn of the new one from their ConfigMap. */
  readonly frontProxy: FrontProxy
  /** What this server answers for beside built-in and custom kinds. */
  readonly local: readonly LocalGroupVersion[]
  readonly hooks: Hooks
}

export interface Aggregation {
  readonly source: ApiSource
  /** Undefined where this server answers itself. */
  route(context: CallContext): Promise<Outcome> | undefined
  /** How many APIServices of this server's own are still to be made. */
  readonly unregistered: () => number
  /** Once requests are answered: makes the local APIServices and the ConfigMap that other servers read. */
  start(objects: Client, clientAuthorityPem: string): Promise<void>
}

export async function aggregationOf(options: AggregationOptions): Promise<Aggregation> {
  const { registry, catalog, kinds, services, objects, hooks } = options
  const row = catalog.row('apiregistration.k8s.io', 'v1', 'apiservices')
  if (row === undefined) throw new Error(`the catalog of ${catalog.minor} lacks apiservices`)
  const { frontProxy } = options
  const caller = { services, frontProxy }
  const known = new ApiServices(registry.records, row, registry.scope.signal)
  await known.start()
  const availability = new Availability(registry, known, caller, objects)
  const register = new AutoRegister(registry, known, kinds, hooks)
  return {
    source: availability,
    unregistered: () => register.missing,
    route(context) {
      const [group, version] = groupVersionOf(context)
      const service = version === '' ? undefined : known.remote(group, version)
      return service === undefined ? undefined : proxyTo(caller, service, context)
    },
    async start(client, clientAuthorityPem) {
      await keepConfigMap(
        { scope: registry.scope, client, hooks },
        authenticationConfigMap(frontProxy, clientAuthorityPem),
      )
      await register.start([...localGroupVersions(catalog.rows), ...options.local])
      availability.start()
    },
  }
}

/** Of resources, and of the plain path `/apis/GROUP/VERSION`. */
function groupVersionOf({ info }: CallContext): readonly [group: string, version: string] {
  if (info.isResource) return [info.group, info.version]
  const [root, group = '', version = ''] = info.path.split('/').filter((part) => part !== '')
  return root === 'apis' ? [group, version] : ['', '']
}

const RETRY_MS = 1000

interface ConfigMapParts {
  readonly scope: Scope
  readonly client: Client
  readonly hooks: Hooks
}

/** A webhook that is not there yet may refuse the write: it is tried again, and the server starts all the same. */
async function keepConfigMap(parts: ConfigMapParts, wanted: ConfigMap): Promise<void> {
  const { scope, client, hooks } = parts
  try {
    await hooks.run('start-cluster-authentication-info-controller', () => writeConfigMap(client, wanted))
  } catch (error) {
    if (scope.signal.aborted) return
    // Another server of the cluster starts at the same moment.
    if (isReason(error, 'AlreadyExists', 'Conflict')) return await keepConfigMap(parts, wanted)
    scope.log.warn('the ConfigMap for other API servers could not be written', { error })
    scope.clock.after(RETRY_MS, () => void keepConfigMap(parts, wanted))
  }
}

async function writeConfigMap(client: Client, wanted: ConfigMap): Promise<void> {
  const { name, namespace = '' } = wanted.metadata
  try {
    const current = await client.get(configMaps, { namespace, name })
    const isThere = Object.entries(wanted.data ?? {}).every(([key, value]) => current.data?.[key] === value)
    if (!isThere) await client.update(configMaps, { ...current, data: { ...current.data, ...wanted.data } })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
    await client.create(configMaps, wanted)
  }
}
