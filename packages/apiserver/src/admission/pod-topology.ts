// PodTopologyLabels: a pod that is bound gets its node's zone and region as labels, for its own containers to read.

import type { Binding } from '@aksel/api/types/core-v1'
import type { AdmissionPlugin } from './admission.ts'

const topologyLabels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'] as const

export const podTopologyLabels: AdmissionPlugin = {
  name: 'PodTopologyLabels',
  handles: ({ operation, row, subresource }) =>
    operation === 'CREATE' && row.group === '' && row.plural === 'pods' && subresource === 'binding',
  async admit({ object, body }, { records, kinds, schemas }) {
    if (!schemas.gates('PodTopologyLabelsAdmission')) return false
    const { target } = body!.object as Binding
    if ((target?.kind ?? 'Node') !== 'Node' || target?.name === undefined) return false
    const node = await records.get(kinds.find('', 'v1', 'nodes')!, '', target.name)
    const labels = node?.object.metadata.labels ?? {}
    const own = topologyLabels.filter((key) => labels[key] !== undefined)
    if (own.length === 0) return false
    const { metadata } = object!
    metadata.labels = { ...metadata.labels, ...Object.fromEntries(own.map((key) => [key, labels[key]!])) }
    return true
  },
}
