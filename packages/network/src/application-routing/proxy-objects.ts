// A proxy as objects of the cluster: its configuration in a Secret, its pods in a Deployment, its address by a Service.

import { createHash } from 'node:crypto'
import type { Deployment } from '@aksel/api/types/apps-v1'
import type { Secret, Service } from '@aksel/api/types/core-v1'
import { CONFIG_FOLDER, containerPort, HEALTH_PORT, renderCertificateList, renderProxy } from './haproxy.ts'
import type { Certificate, Listener } from './routes.ts'

/** Made of Debian's haproxy, on every machine of a cluster that has the add-on. */
export const PROXY_IMAGE = 'docker.io/library/aksel-ingress-proxy:2'

export interface Proxy {
  readonly namespace: string
  readonly name: string
  readonly replicas: number
  readonly labels: Readonly<Record<string, string>>
  readonly owner?: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string }
  readonly listeners: readonly Listener[]
  readonly certificates: readonly Certificate[]
}

const HASH = 'aksel.dev/content'
/** Of Debian's package. */
const USER = 101

export interface ProxyObjects {
  readonly secret: Secret
  readonly deployment: Deployment
  readonly service: Service
}

/** Throws where a route cannot be written down. */
export function proxyObjects(proxy: Proxy): ProxyObjects {
  const data = {
    'haproxy.cfg': renderProxy(proxy.listeners, proxy.certificates),
    'crt-list': renderCertificateList(proxy.certificates),
    ...Object.fromEntries(proxy.certificates.map(({ name, pem }) => [name, pem])),
  }
  const { namespace, name, labels, owner } = proxy
  const metadata = (content: unknown) => ({
    name,
    namespace,
    labels,
    annotations: { [HASH]: createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16) },
    ...(owner === undefined ? {} : { ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }] }),
  })
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
  const deployment = deploymentSpec(proxy)
  const service = serviceSpec(proxy)
  return {
    secret: { metadata: metadata(data), type: 'Opaque', data: encoded },
    deployment: { metadata: metadata(deployment), spec: deployment },
    service: { metadata: metadata(service), spec: service },
  }
}

export function contentOf(object: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
}): string | undefined {
  return object.metadata.annotations?.[HASH]
}

function deploymentSpec({ name, labels, replicas, listeners }: Proxy): Deployment['spec'] {
  const ports = [...new Set(listeners.map(({ port }) => containerPort(port)))]
  return {
    replicas,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 30,
        containers: [
          {
            name: 'controller',
            image: PROXY_IMAGE,
            imagePullPolicy: 'IfNotPresent',
            ports: ports.map((port) => ({ containerPort: port })),
            readinessProbe: { httpGet: { path: '/', port: HEALTH_PORT }, periodSeconds: 1, failureThreshold: 3 },
            securityContext: {
              runAsNonRoot: true,
              runAsUser: USER,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ['ALL'] },
            },
            resources: { requests: { cpu: '20m', memory: '32Mi' } },
            volumeMounts: [{ name: 'config', mountPath: CONFIG_FOLDER, readOnly: true }],
          },
        ],
        volumes: [{ name: 'config', secret: { secretName: name } }],
      },
    },
  } as Deployment['spec']
}

function serviceSpec({ labels, listeners }: Proxy): Service['spec'] {
  const ports = [...new Set(listeners.map(({ port }) => port))]
  return {
    type: 'LoadBalancer',
    selector: labels,
    ports: ports.map((port) => ({ name: `port-${port}`, port, protocol: 'TCP', targetPort: containerPort(port) })),
  }
}
