// The detectors by the names and categories of Azure's "Diagnose and solve problems", over the families of `aksel diagnose`.

import type { Family } from '@aksel/diagnosis/finding'

export interface NamedDetector {
  readonly name: string
  readonly category: string
  readonly description: string
  readonly family: Family
}

export const detectors: readonly NamedDetector[] = [
  {
    name: 'pod-scheduling',
    category: 'Create, Upgrade, Delete and Scale',
    description: 'Pods that no node was found for, and what is in the way.',
    family: 'pending',
  },
  {
    name: 'pod-health',
    category: 'Best Practices',
    description: 'Containers that do not start or do not stay up.',
    family: 'containers',
  },
  {
    name: 'workload-health',
    category: 'Create, Upgrade, Delete and Scale',
    description: 'Quotas, policies, budgets, Jobs and namespaces that stand in the way of workloads.',
    family: 'workloads',
  },
  {
    name: 'cluster-performance',
    category: 'Cluster and Control Plane Availability and Performance',
    description: 'Throttled containers, autoscalers that cannot scale, noisy neighbours.',
    family: 'performance',
  },
  {
    name: 'connectivity',
    category: 'Connectivity Issues',
    description: 'Services, ingresses, policies and names that lead nowhere.',
    family: 'network',
  },
  {
    name: 'storage',
    category: 'Storage',
    description: 'Claims and volumes that do not come together.',
    family: 'storage',
  },
  {
    name: 'identity',
    category: 'Identity and Security',
    description: 'Logins, roles, bindings and certificates.',
    family: 'access',
  },
  {
    name: 'node-health',
    category: 'Node Health',
    description: 'Nodes that are silent, not ready or under pressure.',
    family: 'nodes',
  },
  {
    name: 'security-review',
    category: 'Identity and Security',
    description: 'Privileged pods, pods without a security context, default accounts, roles that allow everything.',
    family: 'security',
  },
  {
    name: 'tidiness',
    category: 'Best Practices',
    description: 'Config maps that nobody uses, policies that allow all, tiny volumes.',
    family: 'tidiness',
  },
]

export const categories = [...new Set(detectors.map(({ category }) => category))]
