// The kinds by which people choose flows, and what the nodes need to see of them: in clusters with Advanced Container
// Networking Services.

import type { ResourceType, KubernetesObject } from '@aksel/api/resource'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import type { ClusterRole, ClusterRoleBinding } from '@aksel/api/types/rbac-v1'
import type { IncludeFilter } from './filter.ts'

export interface ContainerNetworkLog extends KubernetesObject {
  readonly spec: { readonly includefilters: readonly IncludeFilter[] }
  readonly status?: { readonly state?: 'CONFIGURED' | 'FAILED'; readonly timestamp?: string }
}

export interface MetricFilter {
  /** `flow`, `drop`, `dns`, `tcp`. */
  readonly metric: string
  readonly includeFilters?: readonly IncludeFilter[]
  readonly excludeFilters?: readonly IncludeFilter[]
}

export interface ContainerNetworkMetric extends KubernetesObject {
  readonly spec: { readonly filters: readonly MetricFilter[] }
  readonly status?: ContainerNetworkLog['status']
}

const GROUP = 'acn.azure.com'
const VERSION = 'v1alpha1'

export const containerNetworkLogs: ResourceType<ContainerNetworkLog> = {
  group: GROUP,
  version: VERSION,
  kind: 'ContainerNetworkLog',
  plural: 'containernetworklogs',
  namespaced: false,
}

export const containerNetworkMetrics: ResourceType<ContainerNetworkMetric> = {
  group: GROUP,
  version: VERSION,
  namespaced: false,
  kind: 'ContainerNetworkMetric',
  plural: 'containernetworkmetrics',
}

export function flowLogDefinitions(): readonly CustomResourceDefinition[] {
  const logs = list(filter, { minItems: 1, description: 'What is written; a flow that fits one of them is.' })
  const metricFilter = {
    type: 'object',
    description: 'Which flows one metric counts.',
    required: ['metric'],
    properties: {
      metric: {
        type: 'string',
        enum: ['flow', 'drop', 'dns', 'tcp'],
        description: 'The metric that the filters are for.',
      },
      includeFilters: list(filter, { description: 'Flows that count; all where there are none.' }),
      excludeFilters: list(filter, { description: 'Flows that do not count.' }),
    },
  }
  const metrics = list(metricFilter, {
    minItems: 1,
    description: 'A filter for each metric; a metric without one counts everything.',
  })
  return [
    definition(containerNetworkLogs, { includefilters: logs }, 'Chooses the flows that nodes write to their logs.'),
    definition(
      containerNetworkMetrics,
      { filters: metrics },
      'Chooses the flows that metrics count. One in a cluster.',
    ),
  ]
}

type Schema = Readonly<Record<string, unknown>>

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more })

function list(items: Schema, more: Schema = {}): Schema {
  return { type: 'array', items, ...more }
}

const endpoint: Schema = {
  type: 'object',
  description: 'One side of a flow; what is given must all hold.',
  properties: {
    ip: list(text('An address, or a range of them.'), { description: 'Addresses of that side.' }),
    namespacedPod: list(text('A namespace, a slash, and the beginning of a name.'), {
      description: 'Pods of that side.',
    }),
    labelSelector: {
      type: 'object',
      description: 'Labels of that side; k8s.io/namespace stands for its namespace.',
      properties: {
        matchLabels: {
          type: 'object',
          additionalProperties: { type: 'string' },
          description: 'Labels and their values.',
        },
        matchExpressions: list(
          {
            type: 'object',
            description: 'A requirement.',
            required: ['key', 'operator'],
            properties: {
              key: text('The label.'),
              operator: text('In, NotIn, Exists or DoesNotExist.', { enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }),
              values: list(text('A value.'), { description: 'Values for In and NotIn.' }),
            },
          },
          { description: 'Requirements that must all hold.' },
        ),
      },
    },
  },
}

const filter: Schema = {
  type: 'object',
  description: 'Flows that fit everything that is given.',
  required: ['name'],
  properties: {
    name: text('Names the filter.', { minLength: 1 }),
    from: endpoint,
    to: endpoint,
    protocol: list(text('tcp, udp or dns.', { enum: ['tcp', 'udp', 'dns'] }), {
      description: 'Protocols; one is enough.',
    }),
    verdict: list(text('forwarded or dropped.', { enum: ['forwarded', 'dropped'] }), {
      description: 'Verdicts; one is enough.',
    }),
  },
}

function definition(type: ResourceType, properties: Schema, description: string): CustomResourceDefinition {
  const { kind, plural } = type
  const status = {
    type: 'object',
    description: 'What became of it.',
    properties: { state: text('CONFIGURED or FAILED.'), timestamp: text('Since when.') },
  }
  const schema = {
    type: 'object',
    description,
    required: ['spec'],
    properties: {
      apiVersion: text('The version of the group.'),
      kind: text('The kind.'),
      metadata: { type: 'object' },
      spec: { type: 'object', description: 'What is wanted.', required: Object.keys(properties), properties },
      status,
    },
  }
  return {
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {} },
          additionalPrinterColumns: [{ name: 'State', type: 'string', jsonPath: '.status.state' }],
        },
      ],
    },
  } as unknown as CustomResourceDefinition
}

/** The node's agent does what AKS gives to a DaemonSet, and acts as the node. */
export function flowLogAccess(): { readonly role: ClusterRole; readonly binding: ClusterRoleBinding } {
  const name = 'acns-flow-logs'
  const verbs = ['get', 'list', 'watch']
  const group = 'rbac.authorization.k8s.io'
  return {
    role: {
      metadata: { name },
      rules: [
        { apiGroups: [''], resources: ['pods', 'nodes'], verbs },
        { apiGroups: [GROUP], resources: ['containernetworklogs', 'containernetworkmetrics'], verbs },
        {
          apiGroups: [GROUP],
          resources: ['containernetworklogs/status', 'containernetworkmetrics/status'],
          verbs: ['patch'],
        },
      ],
    },
    binding: {
      metadata: { name },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name },
      subjects: [{ apiGroup: group, kind: 'Group', name: 'system:nodes' }],
    },
  }
}
