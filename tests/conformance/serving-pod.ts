// A pod that serves over TLS behind a service, with a certificate for the service's name, for tests of what the API server calls.

import { anySignal } from '@aksel/base/any-signal'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { agnhost, type ConformanceCluster } from './cluster.ts'
import { Pods } from './pods.ts'

export interface ServingPodWish {
  readonly namespace: string
  /** The service's name; the pod has it too. */
  readonly service: string
  /** Of agnhost. */
  readonly command: string
  /** The flag that names the port to listen on. */
  readonly portFlag: string
  /** The service's. */
  readonly port: number
  readonly serviceAccountName?: string
}

const containerPort = 9444
const files = '/server.local.config/certificates'

/** Resolves when the pod is ready and its service leads to it: with the bundle to believe, in base64. */
export async function servingPod(cluster: ConformanceCluster, wish: ServingPodWish): Promise<string> {
  const { namespace, service, command, portFlag, port, serviceAccountName = 'default' } = wish
  const scope = { clock: systemClock(), random: systemRandom(), log: logTo(() => {}), signal: anySignal([]) }
  const authority = await createAuthority(scope, { commonName: 'e2e-server-cert-ca', years: 1 })
  const dnsNames = [`${service}.${namespace}.svc`]
  const serving = await issue(scope, authority, { commonName: service, dnsNames, usages: ['server'], days: 1 })
  const { core, aksel } = cluster
  const stringData = { 'tls.crt': serving.certificatePem, 'tls.key': serving.keyPem }
  const secretName = `${service}-certs`
  await core.createNamespacedSecret({ namespace, body: { metadata: { name: secretName }, stringData } })
  const labels = { app: service }
  const pods = new Pods(cluster, namespace)
  const args = [
    command,
    `--tls-cert-file=${files}/tls.crt`,
    `--tls-private-key-file=${files}/tls.key`,
    `--${portFlag}=${containerPort}`,
  ]
  await pods.create(
    service,
    {
      serviceAccountName,
      containers: [
        {
          name: 'server',
          image: agnhost,
          args,
          volumeMounts: [{ name: 'certs', mountPath: files, readOnly: true }],
          ports: [{ containerPort }],
          readinessProbe: { httpGet: { path: '/readyz', port: containerPort, scheme: 'HTTPS' }, periodSeconds: 1 },
        },
      ],
      volumes: [{ name: 'certs', secret: { secretName } }],
    },
    { labels },
  )
  const ports = [{ protocol: 'TCP', port, targetPort: containerPort }]
  await core.createNamespacedService({
    namespace,
    body: { metadata: { name: service }, spec: { selector: labels, ports } },
  })
  await pods.ready(service)
  const slices = ['endpointslices', '-l', `kubernetes.io/service-name=${service}`]
  const ready = '--for=jsonpath={.endpoints[0].conditions.ready}=true'
  await aksel.kubectl(['-n', namespace, 'wait', ...slices, ready, '--timeout=30s'])
  return Buffer.from(authority.certificatePem).toString('base64')
}
