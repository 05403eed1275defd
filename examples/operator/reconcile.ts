// What a bakery wants, and what is said of it: pure, so that every case is easy to test.

import type { V1Deployment } from '@kubernetes/client-node'
import type { Bakery, BakeryStatus } from './bakery.ts'

export const manager = 'bakery-operator'
export const managedBy = { 'app.kubernetes.io/managed-by': manager }

/** The deployment as the operator applies it; the bakery owns it, and it goes with the bakery. */
export function deploymentOf({ apiVersion, kind, metadata, spec }: Bakery): V1Deployment {
  const name = metadata!.name!
  const labels = { bakery: name }
  const owner = { apiVersion: apiVersion!, kind: kind!, name, uid: metadata!.uid!, controller: true }
  const image = `${spec.image.name}:${spec.image.tag}`
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: metadata!.namespace!, labels: managedBy, ownerReferences: [owner] },
    spec: {
      replicas: spec.replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'oven', image }] } },
    },
  }
}

export function statusOf({ metadata, status }: V1Deployment): BakeryStatus {
  return {
    replicas: status?.replicas ?? 0,
    readyReplicas: status?.readyReplicas ?? 0,
    selector: `bakery=${metadata!.name}`,
  }
}
