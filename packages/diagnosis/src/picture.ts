// What the detectors look at: the objects of a cluster, or of one namespace, as they stood at one time.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import * as resources from '@aksel/api/resources'
import type { Event, Pod } from '@aksel/api/types/core-v1'
import type { NodeMetrics, PodMetrics } from '@aksel/api/types/metrics-v1beta1'
import type { ApiServerLoad } from './api-server.ts'
import type { Subject } from './finding.ts'
import type { Surroundings } from './surroundings.ts'

const nodeMetrics: ResourceType<NodeMetrics & KubernetesObject> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'NodeMetrics',
  plural: 'nodes',
  namespaced: false,
}
const podMetrics: ResourceType<PodMetrics & KubernetesObject> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  plural: 'pods',
  namespaced: true,
}

/** Everything that is read, by the name that detectors use. */
export const sources = {
  certificateSigningRequests: resources.certificateSigningRequests,
  clusterRoleBindings: resources.clusterRoleBindings,
  clusterRoles: resources.clusterRoles,
  configMaps: resources.configMaps,
  cronJobs: resources.cronJobs,
  daemonSets: resources.daemonSets,
  deployments: resources.deployments,
  endpointSlices: resources.endpointSlices,
  events: resources.events,
  flowSchemas: resources.flowSchemas,
  horizontalPodAutoscalers: resources.horizontalPodAutoscalers,
  ingressClasses: resources.ingressClasses,
  ingresses: resources.ingresses,
  jobs: resources.jobs,
  limitRanges: resources.limitRanges,
  mutatingWebhookConfigurations: resources.mutatingWebhookConfigurations,
  namespaces: resources.namespaces,
  networkPolicies: resources.networkPolicies,
  nodeMetrics,
  nodes: resources.nodes,
  persistentVolumeClaims: resources.persistentVolumeClaims,
  persistentVolumes: resources.persistentVolumes,
  podDisruptionBudgets: resources.podDisruptionBudgets,
  podMetrics,
  pods: resources.pods,
  replicaSets: resources.replicaSets,
  resourceQuotas: resources.resourceQuotas,
  roleBindings: resources.roleBindings,
  roles: resources.roles,
  secrets: resources.secrets,
  serviceAccounts: resources.serviceAccounts,
  services: resources.services,
  statefulSets: resources.statefulSets,
  storageClasses: resources.storageClasses,
  validatingWebhookConfigurations: resources.validatingWebhookConfigurations,
} as const

export type SourceName = keyof typeof sources
/** What is no object: the API server's metrics, and Azure around the cluster. */
export type UnreadName = SourceName | 'metrics' | 'surroundings'
type ObjectOf<R> = R extends ResourceType<infer T> ? T : never

type Lists = { readonly [Name in SourceName]: readonly ObjectOf<(typeof sources)[Name]>[] }

export interface Picture extends Lists {
  readonly nowMs: number
  /** What could not be read, and the server's words: detectors that need it say nothing. */
  readonly unread: ReadonlyMap<UnreadName, string>
  /** The last lines of containers that failed, by `namespace/pod/container`. */
  readonly logs: ReadonlyMap<string, readonly string[]>
  /** When certificates in secrets end, by `namespace/secret`; wall time in ms. */
  readonly certificateEnds: ReadonlyMap<string, number>
  /** Of the moment; absent where it was not asked for or may not be read. */
  readonly apiServerLoad?: ApiServerLoad
  /** Absent for a cluster that is not of Azure. */
  readonly surroundings?: Surroundings
}

export function emptyPicture(nowMs: number): Picture {
  const lists = Object.fromEntries(Object.keys(sources).map((name) => [name, []])) as unknown as Lists
  return { ...lists, nowMs, unread: new Map(), logs: new Map(), certificateEnds: new Map() }
}

export function refOf(kind: string, { metadata }: KubernetesObject): Subject {
  const { name, namespace } = metadata
  return namespace === undefined ? { kind, name } : { kind, namespace, name }
}

export function podRef(pod: Pod): Subject {
  return refOf('Pod', pod)
}

export function logKey(pod: Pod, container: string): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}/${container}`
}

/** Warnings about an object, newest first. */
export function warningsOf(picture: Picture, { kind, namespace, name }: Subject): readonly Event[] {
  return picture.events
    .filter(
      ({ type, involvedObject }) =>
        type === 'Warning' &&
        involvedObject.kind === kind &&
        involvedObject.name === name &&
        (namespace === undefined || involvedObject.namespace === namespace),
    )
    .toSorted((left, right) => timeOf(right) - timeOf(left))
}

export function warningOf(picture: Picture, subject: Subject, ...reasons: readonly string[]): Event | undefined {
  return warningsOf(picture, subject).find(({ reason }) => reasons.includes(reason ?? ''))
}

function timeOf({ lastTimestamp, eventTime, series, metadata }: Event): number {
  const newest = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp
  return newest === undefined || newest === null ? 0 : Date.parse(newest)
}

/** An event as a line of evidence. */
export function eventLine({ reason, message, count, series }: Event): string {
  const times = series?.count ?? count ?? 1
  return `event ${reason}${times > 1 ? ` (×${times})` : ''}: ${message ?? ''}`
}
