// What a cluster has from its first start: namespaces, the bootstrap policy, priority classes, flow control, the range of
// service addresses and the `kubernetes` service.
// Run at every start: what is missing is made, what the owner changed is left alone.

import type { FeatureGates } from '@aksel/api/feature-gates'
import type { KubernetesObject } from '@aksel/api/resource'
import { draftOf, type Draft } from '@aksel/base/draft'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { decodeBody, bodyTypeOf } from '../registry/decode.ts'
import { createObject } from '../registry/create.ts'
import type { Registry, WriteCall } from '../registry/registry.ts'
import { changeObject } from '../registry/update.ts'
import type { Hooks } from '../hooks.ts'
import { trackingMap } from '@aksel/runtime/legacy-token'
import { dayOf } from '../authentication/legacy-uses.ts'
import { masters, type UserInfo } from '../authentication/user-info.ts'
import { flowControlObjects } from './flow-control.ts'
import { rbacObjects } from './rbac-objects.ts'

export interface BootstrapOptions {
  /** The ranges of service addresses, one of each family at most, the default one first. */
  readonly serviceCidrs: readonly string[]
  /** The first address of the service range: where pods find the API. */
  readonly serviceIp: string
  readonly gates: FeatureGates
  /** Where the API server itself is reached by nodes and pods. */
  readonly advertiseAddress: string
  readonly advertisePort: number
}

const apiServer: UserInfo = { name: 'system:apiserver', groups: [masters] }

export async function bootstrap(registry: Registry, options: BootstrapOptions, hooks: Hooks): Promise<void> {
  // All of a kind at once, so that the store makes them durable together.
  const all = async (objects: readonly KubernetesObject[]): Promise<void> => {
    await Promise.all(objects.map((object) => ensure(registry, object)))
  }
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
  await hooks.run('start-system-namespaces-controller', () =>
    all(namespaces.map((name) => ({ kind: 'Namespace', apiVersion: 'v1', metadata: { name } }))),
  )
  // Side by side: each waits for the disk, and none for another.
  await Promise.all([
    hooks.run('start-legacy-token-tracking-controller', () => ensure(registry, tokenTracking(registry))),
    hooks.run('rbac/bootstrap-roles', () => all(rbacObjects(options.gates))),
    hooks.run('scheduling/bootstrap-system-priority-classes', () =>
      all([
        priorityClass('system-node-critical', 2_000_001_000),
        priorityClass('system-cluster-critical', 2_000_000_000),
      ]),
    ),
    hooks.run(flowHook, () => all(flowControlObjects())),
    hooks.run(ownHook, async () => {
      await ensureServiceRange(registry, options.serviceCidrs)
      await ensure(registry, kubernetesService(options))
      for (const object of kubernetesAddresses(options)) await replace(registry, object)
    }),
  ])
}

/** Since when uses of tokens out of secrets are noted: what was not used since then may be declared void. */
function tokenTracking({ scope }: Registry): KubernetesObject & { readonly data: Readonly<Record<string, string>> } {
  const metadata = { name: trackingMap, namespace: 'kube-system' }
  return { kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { since: dayOf(scope.clock.now()) } }
}

const flowHook = 'priority-and-fairness-config-producer'
const ownHook = 'bootstrap-controller'
const RETRY_MS = 1000

/** Makes the `kubernetes` service, its endpoints and flow control again when somebody deletes them, until the scope ends. */
export function keepBootstrapObjects(scope: Scope, registry: Registry, options: BootstrapOptions, hooks: Hooks): void {
  const makeAgain = async (object: KubernetesObject): Promise<void> => {
    const hook = object.apiVersion!.startsWith('flowcontrol.') ? flowHook : ownHook
    try {
      await hooks.run(hook, () => ensure(registry, object))
    } catch (error) {
      if (scope.signal.aborted) return
      scope.log.error('a bootstrap object could not be made again', {
        kind: object.kind,
        name: object.metadata.name,
        error,
      })
      scope.clock.after(RETRY_MS, () => void makeAgain(object))
    }
  }
  const kept = [kubernetesService(options), ...kubernetesAddresses(options), ...flowControlObjects()]
  for (const row of new Set(kept.map((object) => rowOf(registry, object)))) {
    registry.records.onChange(row, scope.signal, (changes) => {
      for (const { type, record } of changes) {
        if (type !== 'DELETED') continue
        const gone = record.object.metadata
        const object = kept.find(
          ({ kind, metadata }) =>
            kind === row.kind && metadata.name === gone.name && metadata.namespace === gone.namespace,
        )
        if (object === undefined) continue
        void makeAgain(object)
      }
    })
  }
}

/** The default ServiceCIDR, which is ready from the start. */
async function ensureServiceRange(registry: Registry, cidrs: readonly string[]): Promise<void> {
  const range = { kind: 'ServiceCIDR', apiVersion: 'networking.k8s.io/v1', metadata: { name } }
  const object = { ...range, spec: { cidrs } }
  await ensure(registry, object)
  const call = callFor(registry, object)
  const lastTransitionTime = formatTime(registry.scope.clock.now())
  const ready = { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' }
  await changeObject(registry, call, {
    name,
    subresource: 'status',
    next(current) {
      const draft = draftOf(current!) as Draft<KubernetesObject> & { status?: { conditions?: object[] } }
      const conditions = draft.status?.conditions ?? []
      if (conditions.length === 0) draft.status = { conditions: [{ ...ready, lastTransitionTime }] }
      delete draft.metadata.resourceVersion
      return draft
    },
  })
}

function kubernetesAddresses(options: BootstrapOptions): readonly KubernetesObject[] {
  // Endpoints may not be loopback addresses, and nothing in a cluster could reach one: a simulated cluster has none.
  if (isLoopback(options.advertiseAddress)) return []
  return [kubernetesEndpoints(options), kubernetesSlice(options)]
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

function rowOf(registry: Registry, object: KubernetesObject): WriteCall['row'] {
  const [group = '', version = ''] = object.apiVersion!.includes('/')
    ? object.apiVersion!.split('/')
    : ['', object.apiVersion!]
  const row = registry.kinds.rows.find(
    (one) => one.group === group && one.version === version && one.kind === object.kind,
  )
  if (row === undefined)
    throw new Error(`the bootstrap object ${object.kind} ${object.metadata.name} is of a kind that is not served`)
  return row
}

function callFor(registry: Registry, object: KubernetesObject): WriteCall {
  const row = rowOf(registry, object)
  return {
    row,
    namespace: object.metadata.namespace ?? '',
    user: apiServer,
    dryRun: false,
    fieldManager: 'kube-apiserver',
    warnings: new Set(),
  }
}

function decoded(registry: Registry, call: WriteCall, object: KubernetesObject): Draft<KubernetesObject> {
  const settings = { schemas: registry.schemas, fieldValidation: 'Strict', warnings: call.warnings } as const
  return decodeBody(settings, bodyTypeOf(call.row), { value: draftOf(object), duplicates: [] })
}

async function ensure(registry: Registry, object: KubernetesObject): Promise<void> {
  const call = callFor(registry, object)
  if ((await registry.records.get(call.row, call.namespace, object.metadata.name)) !== undefined) return
  try {
    await createObject(registry, call, decoded(registry, call, object))
  } catch (error) {
    // Another server of the same cluster starts at the same time.
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}

/** Made, or set to what is true now: the server may have moved. */
async function replace(registry: Registry, object: KubernetesObject): Promise<void> {
  const call = callFor(registry, object)
  await ensure(registry, object)
  const next = (): Draft<KubernetesObject> => decoded(registry, call, object)
  await changeObject(registry, call, { name: object.metadata.name, subresource: '', next })
}

function priorityClass(name: string, value: number): KubernetesObject {
  const text =
    name === 'system-node-critical'
      ? 'Used for system critical pods that must not be moved from their current node.'
      : 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.'
  const object = {
    kind: 'PriorityClass',
    apiVersion: 'scheduling.k8s.io/v1',
    metadata: { name },
    value,
    description: text,
  }
  return object
}

const name = 'kubernetes'
const namespace = 'default'

function kubernetesService({ serviceIp, advertisePort }: BootstrapOptions): KubernetesObject {
  const object = {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: { name, namespace, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: serviceIp,
      clusterIPs: [serviceIp],
      ipFamilies: [serviceIp.includes(':') ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: advertisePort }],
      sessionAffinity: 'None',
    },
  }
  return object
}

function kubernetesEndpoints({ advertiseAddress, advertisePort }: BootstrapOptions): KubernetesObject {
  const object = {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [
      { addresses: [{ ip: advertiseAddress }], ports: [{ name: 'https', port: advertisePort, protocol: 'TCP' }] },
    ],
  }
  return object
}

function kubernetesSlice({ advertiseAddress, advertisePort }: BootstrapOptions): KubernetesObject {
  const object = {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [advertiseAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port: advertisePort, protocol: 'TCP' }],
  }
  return object
}
