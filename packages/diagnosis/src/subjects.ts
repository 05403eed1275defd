// How people name an object: `pod/web-1`, `deploy/web`, in the words of kubectl.

import type { Subject } from './finding.ts'

const kinds: Readonly<Record<string, string>> = {
  pod: 'Pod',
  po: 'Pod',
  deployment: 'Deployment',
  deploy: 'Deployment',
  replicaset: 'ReplicaSet',
  rs: 'ReplicaSet',
  statefulset: 'StatefulSet',
  sts: 'StatefulSet',
  daemonset: 'DaemonSet',
  ds: 'DaemonSet',
  job: 'Job',
  cronjob: 'CronJob',
  cj: 'CronJob',
  service: 'Service',
  svc: 'Service',
  ingress: 'Ingress',
  ing: 'Ingress',
  networkpolicy: 'NetworkPolicy',
  netpol: 'NetworkPolicy',
  horizontalpodautoscaler: 'HorizontalPodAutoscaler',
  hpa: 'HorizontalPodAutoscaler',
  poddisruptionbudget: 'PodDisruptionBudget',
  pdb: 'PodDisruptionBudget',
  persistentvolumeclaim: 'PersistentVolumeClaim',
  pvc: 'PersistentVolumeClaim',
  persistentvolume: 'PersistentVolume',
  pv: 'PersistentVolume',
  secret: 'Secret',
  node: 'Node',
  no: 'Node',
  namespace: 'Namespace',
  ns: 'Namespace',
}

const clusterWide = new Set(['Node', 'PersistentVolume', 'Namespace'])

/** Undefined where the text is no `kind/name` of a kind that is looked at. Plurals are understood. */
export function parseSubject(text: string, namespace: string): Subject | undefined {
  const match = /^([a-z]+)\/([a-z0-9.-]+)$/.exec(text.toLowerCase())
  if (match === null) return undefined
  const word = match[1]!
  const kind =
    kinds[word] ?? kinds[word.replace(/ies$/, 'y')] ?? kinds[word.replace(/es$/, '')] ?? kinds[word.replace(/s$/, '')]
  if (kind === undefined) return undefined
  return clusterWide.has(kind) ? { kind, name: match[2]! } : { kind, namespace, name: match[2]! }
}
