// The pod of the benchmarks: about 3.8 kilobytes as it is stored.

import type { Child } from '../load/orders.ts'
import type { LoadOrders } from '../load/load-main.ts'
import { numberMark } from '../load/template.ts'
import { base64, json, requests, type Rig } from './rig.ts'

/** No scheduler answers to this name. */
const SCHEDULER = 'nobody'

export function benchPod(serviceAccount: string, marks: Readonly<Record<string, string>> = {}): unknown {
  const container = (name: string): unknown => ({
    name,
    image: 'registry.example.com/team/service:1.24.3',
    command: ['/bin/server', '--config=/etc/service/config.yaml', '--listen=0.0.0.0:8080'],
    env: Array.from({ length: 6 }, (_, i) => ({
      name: `SETTING_${i}`,
      value: `value-of-setting-${i}-that-is-not-short`,
    })),
    ports: [{ name: 'http', containerPort: 8080 }],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
    livenessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 10 },
    readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 },
  })
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `web-${numberMark}`,
      labels: { app: 'web', tier: 'front', 'app.kubernetes.io/part-of': 'shop', ...marks },
      annotations: { 'prometheus.io/scrape': 'true', note: 'x'.repeat(400) },
    },
    spec: {
      schedulerName: SCHEDULER,
      serviceAccountName: serviceAccount,
      containers: [container('main'), container('side')],
    },
  }
}

export function podsPath(rig: Rig): string {
  return `/api/v1/namespaces/${rig.user.namespace}/pods`
}

/** Creates pods with these numbers through the whole path. */
export async function fillPods(
  rig: Rig,
  load: Child<LoadOrders>,
  range: { readonly from: number; readonly count: number },
): Promise<void> {
  await requests(load, {
    ...rig.target,
    headers: { ...rig.target.headers, ...json },
    protocol: 'h2',
    // Not measured: no more at once than a server that shares its cores gets through before fairness turns a client away.
    connections: 4,
    streams: 8,
    method: 'POST',
    path: podsPath(rig),
    bodyBase64: base64(benchPod(rig.user.serviceAccount)),
    firstNumber: range.from,
    requestsMax: range.count,
  })
}
