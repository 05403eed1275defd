// Names of the cluster as pods ask for them with a stock client of DNS.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1PodSpec, V1ServiceSpec } from '@kubernetes/client-node'
import { agnhost, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('DNS', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'dns')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const service = (name: string, spec: V1ServiceSpec) =>
    cluster.core.createNamespacedService({ namespace: pods.namespace, body: { metadata: { name }, spec } })
  const asker = async (spec: Partial<V1PodSpec> = {}, labels: Record<string, string> = {}): Promise<string> => {
    const name = fresh('dns-test')
    await pods.create(
      name,
      { ...spec, containers: [{ name: 'querier', image: agnhost, args: ['test-webserver'] }] },
      { labels },
    )
    await pods.ready(name)
    return name
  }
  const shell = (pod: string, script: string): Promise<string> => pods.exec(pod, ['sh', '-c', script])
  /**
   * What dig says, an alias first where a search path was gone through for it; asked again until there is
   * an answer; over UDP and over TCP.
   */
  const dig = async (pod: string, question: string, fits: RegExp): Promise<void> => {
    for (const transport of ['+notcp', '+tcp']) {
      const once = `dig ${transport} +short +search ${question}`
      const loop = `end=$(($(date +%s)+40)); while [ $(date +%s) -lt $end ]; do a=$(${once}); [ -n "$a" ] && break; done; echo "$a"`
      assert.match((await shell(pod, loop)).trim(), fits, `${transport} ${question}`)
    }
  }
  const address = /^\d+\.\d+\.\d+\.\d+$/m

  void test('[sig-network] DNS should provide DNS for the cluster [Conformance]', deadline, async () => {
    const pod = await asker()
    await dig(pod, 'kubernetes.default.svc.cluster.local A', /^10\.0\.0\.1$/m)
    await pods.delete(pod)
  })
  void test(
    '[sig-network] DNS should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]',
    deadline,
    async () => {
      const ports = [{ port: 80, name: 'http', protocol: 'TCP' }]
      await service('headless-partial', { clusterIP: 'None', selector: { 'dns-test': 'partial' }, ports })
      const normal = await service('normal-partial', { selector: { 'dns-test': 'partial' }, ports })
      const pod = await asker({}, { 'dns-test': 'partial' })
      const { podIP } = (await pods.ready(pod)).status!
      const ip = (text: string): RegExp => new RegExp(`^${text.replaceAll('.', String.raw`\.`)}$`, 'm')
      for (const suffix of ['', `.${pods.namespace}`, `.${pods.namespace}.svc`]) {
        await dig(pod, `headless-partial${suffix} A`, ip(podIP!))
        await dig(pod, `normal-partial${suffix} A`, ip(normal.spec!.clusterIP!))
      }
      await dig(pod, `_http._tcp.headless-partial.${pods.namespace}.svc SRV`, /^0 \d+ 80 .*\.headless-partial\./)
      await dig(pod, `_http._tcp.normal-partial.${pods.namespace}.svc SRV`, /^0 \d+ 80 normal-partial\./)
      await pods.delete(pod)
    },
  )
  void test('[sig-network] DNS should provide DNS for services [Conformance]', deadline, async () => {
    const ports = [{ port: 80, name: 'http', protocol: 'TCP' }]
    await service('test-headless', { clusterIP: 'None', selector: { 'dns-test': 'true' }, ports })
    const { spec } = await service('test-normal', { selector: { 'dns-test': 'true' }, ports })
    const pod = await asker({}, { 'dns-test': 'true' })
    const { podIP } = (await pods.ready(pod)).status!
    const full = (name: string): string => `${name}.${pods.namespace}.svc.cluster.local`
    await dig(pod, `${full('test-headless')} A`, address)
    await dig(pod, `${full('test-normal')} A`, new RegExp(`^${spec!.clusterIP}$`, 'm'))
    await dig(pod, `_http._tcp.${full('test-headless')} SRV`, /^0 \d+ 80 /)
    await dig(pod, `_http._tcp.${full('test-normal')} SRV`, /^0 \d+ 80 test-normal/)
    await dig(pod, `-x ${spec!.clusterIP}`, new RegExp(`^${full('test-normal')}\\.$`))
    await dig(pod, `-x ${podIP}`, new RegExp(`\\.${full('test-headless')}\\.$`, 'm'))
    await pods.delete(pod)
  })
  void test('[sig-network] DNS should provide /etc/hosts entries for the cluster [Conformance]', deadline, async () => {
    const subdomain = 'dns-test-service'
    await service(subdomain, { clusterIP: 'None', selector: { hosts: 'true' }, ports: [{ port: 80 }] })
    const pod = await asker({ hostname: 'dns-querier-1', subdomain }, { hosts: 'true' })
    const full = `dns-querier-1.${subdomain}.${pods.namespace}.svc.cluster.local`
    const hosts = await shell(pod, 'cat /etc/hosts')
    const { podIP } = (await pods.ready(pod)).status!
    assert.match(hosts, new RegExp(`^${podIP}\\s+${full}\\s+dns-querier-1$`, 'm'))
    await pods.delete(pod)
  })
  void test('[sig-network] DNS should provide DNS for pods for Hostname [Conformance]', deadline, async () => {
    const subdomain = 'dns-test-service-2'
    await service(subdomain, { clusterIP: 'None', selector: { hostname: 'true' }, ports: [{ port: 80 }] })
    const pod = await asker({ hostname: 'dns-querier-2', subdomain }, { hostname: 'true' })
    await dig(pod, `dns-querier-2.${subdomain}.${pods.namespace}.svc.cluster.local A`, address)
    await pods.delete(pod)
  })
  void test('[sig-network] DNS should provide DNS for pods for Subdomain [Conformance]', deadline, async () => {
    const subdomain = 'dns-test-service-3'
    await service(subdomain, { clusterIP: 'None', selector: { subdomain: 'true' }, ports: [{ port: 80 }] })
    const pod = await asker({ hostname: 'dns-querier-3', subdomain }, { subdomain: 'true' })
    await dig(pod, `dns-querier-3.${subdomain}.${pods.namespace}.svc.cluster.local A`, address)
    await dig(pod, `${subdomain}.${pods.namespace}.svc.cluster.local A`, address)
    await pods.delete(pod)
  })
  void test('[sig-network] DNS should provide DNS for ExternalName services [Conformance]', deadline, async () => {
    const name = 'dns-test-service-4'
    await service(name, { type: 'ExternalName', externalName: 'foo.example.com' })
    const pod = await asker()
    const full = `${name}.${pods.namespace}.svc.cluster.local`
    await dig(pod, `${full} CNAME`, /^foo\.example\.com\.$/)
    const update = async (change: (spec: V1ServiceSpec) => V1ServiceSpec): Promise<V1ServiceSpec> => {
      const at = { namespace: pods.namespace, name }
      const present = await cluster.core.readNamespacedService(at)
      const body = changed(present, { spec: change(present.spec!) })
      return (await cluster.core.replaceNamespacedService({ ...at, body })).spec!
    }
    await update((spec) => changed(spec, { externalName: 'bar.example.com' }))
    const becomes = `end=$(($(date +%s)+40)); while [ $(date +%s) -lt $end ]; do a=$(dig +short ${full} CNAME); [ "$a" = bar.example.com. ] && break; done; echo "$a"`
    assert.equal((await shell(pod, becomes)).trim(), 'bar.example.com.')
    const { clusterIP } = await update((spec) =>
      changed(spec, { type: 'ClusterIP', externalName: undefined, ports: [{ port: 80, name: 'http' }] }),
    )
    const isNumber = `end=$(($(date +%s)+40)); while [ $(date +%s) -lt $end ]; do a=$(dig +short ${full} A); [ "$a" = ${clusterIP} ] && break; done; echo "$a"`
    assert.equal((await shell(pod, isNumber)).trim(), clusterIP)
    await pods.delete(pod)
  })
  void test('[sig-network] DNS should support configurable pod DNS nameservers [Conformance]', deadline, async () => {
    const dnsConfig = { nameservers: ['1.1.1.1'], searches: ['resolv.conf.local'] }
    const pod = await asker({ dnsPolicy: 'None', dnsConfig })
    assert.equal((await shell(pod, '/agnhost dns-suffix')).trim(), 'resolv.conf.local')
    assert.equal((await shell(pod, '/agnhost dns-server-list')).trim(), '1.1.1.1')
    await pods.delete(pod)
  })
})
