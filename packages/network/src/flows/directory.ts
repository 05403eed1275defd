// Who stands behind an address: a pod, a node, the API server, or the world.

import { keyOf } from '@aksel/api/resource'
import { endpointSlices, nodes, pods, services } from '@aksel/api/resources'
import type { Node, Pod, Service } from '@aksel/api/types/core-v1'
import type { Cache, Caches } from '@aksel/runtime/controller'
import { podLabelHash } from './hash.ts'
import type { Endpoint, ServiceName, Workload } from './hubble.ts'

export interface Directory {
  synced(signal: AbortSignal): Promise<void>
  endpoint(address: string): Endpoint
  /** The one that has this cluster address, or this pod behind it alone. */
  service(address: string): ServiceName | undefined
  isLocalPod(address: string): boolean
}

const BY_IP = 'flow-ip'
/** Cilium's reserved identities. */
const reserved = { host: 1, world: 2, 'remote-node': 6 } as const

export function directoryOf(
  caches: Caches,
  options: { readonly nodeName: string; readonly clusterDns: string },
): Directory {
  const podCache: Cache<Pod> = caches.of(pods)
  const nodeCache: Cache<Node> = caches.of(nodes)
  const serviceCache: Cache<Service> = caches.of(services)
  const slices = caches.of(endpointSlices)
  podCache.addIndex(BY_IP, (pod) => (hasOwnAddress(pod) ? addressesOf(pod) : []))
  nodeCache.addIndex(BY_IP, (node) => (node.status?.addresses ?? []).map(({ address }) => address))
  serviceCache.addIndex(BY_IP, ({ spec }) => spec.clusterIPs ?? [])
  slices.addIndex(BY_IP, (slice) => slice.endpoints.flatMap(({ addresses }) => addresses))
  return {
    async synced(signal) {
      await Promise.all([podCache.synced(signal), nodeCache.synced(signal)])
    },
    endpoint(address) {
      if (address === options.clusterDns) return clusterDnsEndpoint
      const [pod] = podCache.byIndex(BY_IP, address)
      if (pod !== undefined) return podEndpoint(pod)
      const [node] = nodeCache.byIndex(BY_IP, address)
      if (node === undefined) return reservedEndpoint('world')
      return reservedEndpoint(node.metadata.name === options.nodeName ? 'host' : 'remote-node')
    },
    service(address) {
      const [service] = serviceCache.byIndex(BY_IP, address)
      if (service !== undefined) return { name: service.metadata.name, namespace: service.metadata.namespace! }
      const owners = new Map(
        slices.byIndex(BY_IP, address).flatMap(({ metadata }) => {
          const name = metadata.labels?.['kubernetes.io/service-name']
          return name === undefined ? [] : [[name, { name, namespace: metadata.namespace! }] as const]
        }),
      )
      return owners.size === 1 ? [...owners.values()][0] : undefined
    },
    isLocalPod: (address) => podCache.byIndex(BY_IP, address)[0]?.spec.nodeName === options.nodeName,
  }
}

function addressesOf({ status }: Pod): readonly string[] {
  return status?.podIPs?.map(({ ip }) => ip) ?? [status!.podIP!]
}

function hasOwnAddress({ spec, status }: Pod): boolean {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed'
  return spec.hostNetwork !== true && status?.podIP !== undefined && !isOver
}

/** Answered by the node itself, in the name of the pods that stand behind it elsewhere. */
const clusterDnsEndpoint: Endpoint = {
  identity: podLabelHash('kube-system', { 'k8s-app': 'kube-dns' }),
  namespace: 'kube-system',
  labels: ['k8s:io.kubernetes.pod.namespace=kube-system', 'k8s:k8s-app=kube-dns'],
  workloads: [{ name: 'coredns', kind: 'Deployment' }],
}

function reservedEndpoint(name: keyof typeof reserved): Endpoint {
  return { identity: reserved[name], labels: [`reserved:${name}`] }
}

function podEndpoint(pod: Pod): Endpoint {
  const { name, namespace = 'default', labels = {}, uid = keyOf(pod) } = pod.metadata
  const own = Object.entries(labels).map(([key, value]) => `k8s:${key}=${value}`)
  const workload = workloadOf(pod)
  return {
    ID: podLabelHash(uid, {}) % 65_536,
    identity: podLabelHash(namespace, labels),
    namespace,
    labels: [...own, `k8s:io.kubernetes.pod.namespace=${namespace}`].sort((left, right) => (left < right ? -1 : 1)),
    pod_name: name,
    ...(workload === undefined ? {} : { workloads: [workload] }),
  }
}

/** A ReplicaSet that carries a template's hash is a Deployment's. */
function workloadOf({ metadata }: Pod): Workload | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (owner === undefined) return undefined
  const hash = metadata.labels?.['pod-template-hash']
  const isDeployments = owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)
  return isDeployments
    ? { name: owner.name.slice(0, -hash.length - 1), kind: 'Deployment' }
    : { name: owner.name, kind: owner.kind }
}
