// NodeMetrics and PodMetrics: what nodes and pods use, measured while somebody asks. Nothing of it is stored.

import { addQuantities, formatQuantity, parseQuantity } from '@aksel/base/quantity'
import type { Column, KindRules } from '../kind-row.ts'
import type { NodeMetrics, PodMetrics } from '../types/metrics-v1beta1.ts'
import { nameColumn } from './columns.ts'

const resources = ['cpu', 'memory'] as const

function plain(name: string, format: string): Column {
  return { name, type: 'string', format, description: '', priority: 0 }
}

const columns: readonly Column[] = [
  { ...nameColumn, description: 'Name of the resource' },
  ...resources.map((name) => plain(name, 'quantity')),
  plain('Window', 'duration'),
]

export const nodeMetricsRules: KindRules<NodeMetrics> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'NodeMetrics',
  virtual: true,
  columns,
  cells: ({ metadata, usage, window }) => [metadata.name, ...resources.map((name) => usage[name] ?? '0'), window],
}

export const podMetricsRules: KindRules<PodMetrics> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  virtual: true,
  columns,
  cells: ({ metadata, containers, window }) => [
    metadata.name,
    ...resources.map((name) => {
      const amounts = containers.map(({ usage }) => parseQuantity(usage[name] ?? '0'))
      return amounts.length === 0 ? '0' : formatQuantity(amounts.reduce(addQuantities))
    }),
    window,
  ],
}
