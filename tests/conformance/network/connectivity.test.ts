// Packets between pods and nodes, and what the API server relays to pods and services.

import assert from 'node:assert/strict'
import { request, type RequestOptions } from 'node:https'
import type { V1Container } from '@kubernetes/client-node'
import { after, before, suite, test } from 'node:test'
import { agnhost, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, serving, type Pods } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('connectivity', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods
  /** One netexec a node. */
  let servers: readonly { readonly name: string; readonly ip: string }[]
  let asker: string
  let onHost: string

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 2, agnhost: true })
    pods = await podsIn(cluster, 'pod-network')
    const { items } = await cluster.core.listNode()
    const netexec = { name: 'netexec', image: agnhost, args: ['netexec', '--http-port=8083', '--udp-port=8081'] }
    servers = await Promise.all(
      items.map(async ({ metadata }) => {
        const name = fresh('netserver')
        await pods.create(name, { nodeName: metadata!.name!, containers: [serving(8083, netexec)] })
        return { name, ip: (await pods.ready(name)).status!.podIP! }
      }),
    )
    const asking = (port: number): V1Container =>
      serving(port, { name: 'asker', image: agnhost, args: ['netexec', `--http-port=${port}`, '--udp-port=-1'] })
    asker = fresh('test-container')
    await pods.create(asker, {
      containers: [asking(9080)],
    })
    onHost = fresh('host-test-container')
    await pods.create(onHost, {
      hostNetwork: true,
      containers: [asking(9083)],
    })
    await Promise.all([pods.ready(asker), pods.ready(onHost)])
  })
  after(() => cluster[Symbol.asyncDispose]())

  const shell = (pod: string, script: string): Promise<string> => pods.exec(pod, ['sh', '-c', script])
  /** What the netexec of one pod hears from another's. */
  const dial = async (
    pod: string,
    own: number,
    protocol: 'http' | 'udp',
    ip: string,
    port: number,
  ): Promise<unknown> => {
    const query = `request=hostname&protocol=${protocol}&host=${ip}&port=${port}&tries=1`
    const loop = `until wget -q -O - "http://localhost:${own}/dial?${query}"; do :; done`
    return JSON.parse(await shell(pod, `timeout 30 sh -c '${loop}'`))
  }
  const dials = async (protocol: 'http' | 'udp', port: number): Promise<void> => {
    for (const { name, ip } of servers)
      assert.deepEqual(await dial(asker, 9080, protocol, ip, port), { responses: [name] })
  }
  void test(
    '[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: http [NodeConformance] [Conformance]',
    deadline,
    () => dials('http', 8083),
  )
  void test(
    '[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: udp [NodeConformance] [Conformance]',
    deadline,
    () => dials('udp', 8081),
  )
  void test(
    '[sig-network] Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      for (const { name, ip } of servers)
        assert.equal(await shell(onHost, `wget -q -O - http://${ip}:8083/hostName`), name)
    },
  )
  void test(
    '[sig-network] Networking Granular Checks: Pods should function for node-pod communication: udp [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      for (const { name, ip } of servers)
        assert.deepEqual(await dial(onHost, 9083, 'udp', ip, 8081), { responses: [name] })
    },
  )

  /** What a path says once it says something: the service's endpoints follow the pod's readiness by a moment. */
  const raw = async (path: string): Promise<string> => {
    for (let tries = 1; tries < 100; tries += 1) {
      const { code, stdout } = await cluster.aksel.run(['kubectl', 'get', '--raw', path])
      if (code === 0) return stdout
    }
    return cluster.aksel.kubectl(['get', '--raw', path])
  }
  void test(
    '[sig-network] Proxy version v1 should proxy through a service and a pod [Conformance]',
    deadline,
    async () => {
      const name = fresh('proxy-service')
      await pods.create(
        name,
        {
          containers: [
            {
              name: 'porter',
              image: agnhost,
              args: ['porter'],
              env: [
                { name: 'SERVE_PORT_80', value: '<a href="/rewriteme">test</a>' },
                { name: 'SERVE_PORT_160', value: 'foo' },
                { name: 'SERVE_PORT_162', value: 'bar' },
              ],
              readinessProbe: { httpGet: { port: 80, path: '/' }, periodSeconds: 1 },
              ports: [
                { containerPort: 80 },
                { name: 'dest1', containerPort: 160 },
                { name: 'dest2', containerPort: 162 },
              ],
            },
          ],
        },
        { labels: { name } },
      )
      await pods.ready(name)
      await cluster.core.createNamespacedService({
        namespace: pods.namespace,
        body: {
          metadata: { name },
          spec: {
            selector: { name },
            ports: [
              { name: 'portname1', port: 80, targetPort: 'dest1' },
              { name: 'portname2', port: 81, targetPort: 162 },
            ],
          },
        },
      })
      const base = `/api/v1/namespaces/${pods.namespace}`
      const expected: Readonly<Record<string, string>> = {
        [`${base}/services/${name}:portname1/proxy/`]: 'foo',
        [`${base}/services/http:${name}:portname1/proxy/`]: 'foo',
        [`${base}/services/${name}:portname2/proxy/`]: 'bar',
        [`${base}/services/http:${name}:portname2/proxy/`]: 'bar',
        [`${base}/pods/${name}/proxy/`]: `<a href="${base}/pods/${name}/proxy/rewriteme">test</a>`,
        [`${base}/pods/${name}:160/proxy/`]: 'foo',
        [`${base}/pods/${name}:162/proxy/`]: 'bar',
        [`${base}/pods/http:${name}:160/proxy/`]: 'foo',
        [`${base}/pods/http:${name}:162/proxy/`]: 'bar',
      }
      for (const [path, said] of Object.entries(expected)) assert.equal((await raw(path)).trim(), said, path)
    },
  )

  const verbs = ['DELETE', 'GET', 'OPTIONS', 'PATCH', 'POST', 'PUT']
  const answersAll = async (suffix: string): Promise<void> => {
    const name = fresh('agnhost')
    const env = [{ name: 'SERVE_PORT_80', value: 'echo-request' }]
    const readinessProbe = { httpGet: { port: 80, path: '/' }, periodSeconds: 1 }
    await pods.create(
      name,
      { containers: [{ name, image: agnhost, args: ['porter'], env, readinessProbe, ports: [{ containerPort: 80 }] }] },
      { labels: { name } },
    )
    await pods.ready(name)
    const spec = { selector: { name }, ports: [{ name: 'porter', port: 80 }] }
    await cluster.core.createNamespacedService({ namespace: pods.namespace, body: { metadata: { name }, spec } })
    const options: RequestOptions = {}
    await cluster.config.applyToHTTPSOptions(options)
    await raw(`/api/v1/namespaces/${pods.namespace}/services/${name}/proxy/`)
    for (const kind of ['pods', 'services'] as const) {
      const url = new URL(
        `/api/v1/namespaces/${pods.namespace}/${kind}/${name}/proxy${suffix}`,
        cluster.config.getCurrentCluster()!.server,
      )
      for (const method of [...verbs, 'HEAD']) {
        const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
          const call = request(url, { ...options, method }, (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('end', () => resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }))
          })
          call.on('error', reject)
          call.end()
        })
        assert.equal(status, 200, `${method} ${url.pathname}: ${text}`)
        if (method !== 'HEAD') assert.equal((JSON.parse(text) as { Method: string }).Method, method)
      }
    }
  }
  void test(
    '[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service ProxyWithPath [Conformance]',
    deadline,
    () => answersAll('/some/path/with/PUT'),
  )
  void test(
    '[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service Proxy [Conformance]',
    deadline,
    () => answersAll('/'),
  )
})
