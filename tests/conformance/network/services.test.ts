// Services in front of real pods on two nodes: endpoints, ports, kinds and affinity.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { DiscoveryV1Api, type V1Service, type V1ServicePort, type V1ServiceSpec } from '@kubernetes/client-node'
import { agnhost, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, podsIn, serving, type Pods } from '../pods.ts'
import { watchedSet } from '../watched.ts'

const deadline = { timeout: 180_000 }

void suite('services', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods
  let nodes: readonly { readonly name: string; readonly address: string }[]
  /** Asks from within: one pod on each node. */
  const askers: string[] = []

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 2, agnhost: true })
    pods = await podsIn(cluster, 'services')
    const { items } = await cluster.core.listNode()
    nodes = items.map(({ metadata, status }) => ({
      name: metadata!.name!,
      address: status!.addresses!.find(({ type }) => type === 'InternalIP')!.address,
    }))
    for (const { name: nodeName } of nodes) {
      const name = fresh('asker')
      askers.push(name)
      await pods.create(name, { nodeName, containers: [{ name: 'asker', image: agnhost }] })
    }
    await Promise.all(askers.map((name) => pods.ready(name)))
  })
  after(() => cluster[Symbol.asyncDispose]())

  const at = (name: string) => ({ namespace: pods.namespace, name })
  const service = async (name: string, spec: V1ServiceSpec): Promise<V1Service> =>
    cluster.core.createNamespacedService({ namespace: pods.namespace, body: { metadata: { name }, spec } })
  const backend = async (
    name: string,
    app: string,
    args: string[] = ['serve-hostname'],
    ports: object[] = [],
  ): Promise<string> => {
    const container = { name: 'backend', image: agnhost, args, ports: ports as { containerPort: number }[] }
    const port = Number(args.find((each) => each.startsWith('--http-port='))?.split('=')[1] ?? 9376)
    await pods.create(name, { containers: [serving(port, container)] }, { labels: { app } })
    await pods.ready(name)
    return name
  }
  const backends = (app: string, count: number): Promise<readonly string[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => backend(`${app}-${index}`, app)))

  const shell = (asker: string, script: string): Promise<string> => pods.exec(asker, ['sh', '-c', script])
  /** What a command says once it says it; rules and names reach a node a moment after the API knows them. */
  const becomes = async (asker: string, command: string, expected: string): Promise<void> => {
    const loop = `end=$(($(date +%s)+60)); while [ $(date +%s) -lt $end ]; do a=$(${command}); [ "$a" = "${expected}" ] && break; done; echo "$a"`
    assert.equal((await shell(asker, loop)).trim(), expected, command)
  }
  /** The names that answered so many questions, in order; a question without an answer is an empty line. */
  const answers = async (asker: string, address: string, count: number): Promise<readonly string[]> => {
    const one = `timeout 5 wget -q -O - http://${address}/ || true; echo`
    return (await shell(asker, `for i in $(seq ${count}); do ${one}; done`))
      .split('\n')
      .map((line) => line.trim())
      .slice(0, count)
  }
  /** Everybody hears everybody: asked until each backend has answered, at most so often. */
  const reaches = async (
    address: string,
    expected: readonly string[],
    from: readonly string[] = askers,
  ): Promise<void> => {
    for (const asker of from) {
      const script = `seen=; end=$(($(date +%s)+60)); while [ $(date +%s) -lt $end ]; do a=$(timeout 5 wget -q -O - http://${address}/ 2>/dev/null); case " $seen " in *" $a "*) ;; *) seen="$seen $a";; esac; set -- $seen; [ $# -ge ${expected.length} ] && break; done; echo $seen`
      const seen = (await shell(asker, script)).trim().split(/\s+/)
      assert.deepEqual(inOrder(seen), inOrder(expected), `from ${asker} to ${address}`)
    }
  }
  const isClosed = (address: string): Promise<void> =>
    becomes(askers[0]!, `timeout 3 wget -q -O /dev/null http://${address}/ && echo open || echo closed`, 'closed')

  const discovery = (): DiscoveryV1Api => cluster.config.makeApiClient(DiscoveryV1Api)
  /** Resolves when the slices of a service hold these pods with these ports. */
  const endpointsAre = async (name: string, expected: Readonly<Record<string, readonly number[]>>): Promise<void> => {
    const path = `/apis/discovery.k8s.io/v1/namespaces/${pods.namespace}/endpointslices`
    const list = () =>
      discovery().listNamespacedEndpointSlice({
        namespace: pods.namespace,
        labelSelector: `kubernetes.io/service-name=${name}`,
      })
    await watchedSet(cluster.config, {
      path,
      labelSelector: `kubernetes.io/service-name=${name}`,
      list: async () => (await list()).items,
      isWanted: (slices) => {
        const found = slices.flatMap(({ endpoints, ports }) =>
          (endpoints ?? []).flatMap(({ targetRef }) => (ports ?? []).map(({ port }) => `${targetRef?.name}:${port}`)),
        )
        const wanted = Object.entries(expected).flatMap(([pod, ports]) => ports.map((port) => `${pod}:${port}`))
        return inOrder(found).join() === inOrder(wanted).join()
      },
      waitMs: 60_000,
    })
  }

  void test('[sig-network] Services should serve a basic endpoint from pods [Conformance]', deadline, async () => {
    const name = 'endpoint-test2'
    const made = await service(name, { selector: { app: name }, ports: [{ port: 80, targetPort: 9376 }] })
    await endpointsAre(name, {})
    const address = `${made.spec!.clusterIP}:80`
    await backend('basic-1', name)
    await endpointsAre(name, { 'basic-1': [9376] })
    await reaches(address, ['basic-1'])
    await backend('basic-2', name)
    await endpointsAre(name, { 'basic-1': [9376], 'basic-2': [9376] })
    await reaches(address, ['basic-1', 'basic-2'])
    await reaches(`${name}:80`, ['basic-1', 'basic-2'])
    await pods.delete('basic-1')
    await endpointsAre(name, { 'basic-2': [9376] })
    await reaches(address, ['basic-2'])
    await pods.delete('basic-2')
    await endpointsAre(name, {})
    await isClosed(address)
  })
  void test('[sig-network] Services should serve multiport endpoints from pods [Conformance]', deadline, async () => {
    const name = 'multi-endpoint-test'
    const ports: V1ServicePort[] = [
      { name: 'portname1', port: 80, targetPort: 100 },
      { name: 'portname2', port: 81, targetPort: 'web' },
    ]
    const made = await service(name, { selector: { app: name }, ports })
    await endpointsAre(name, {})
    await backend('multi-1', name, ['netexec', '--http-port=100', '--udp-port=-1'], [{ containerPort: 100 }])
    const web = [{ name: 'web', containerPort: 101 }]
    await backend('multi-2', name, ['netexec', '--http-port=101', '--udp-port=-1'], web)
    // A named port is found only in the pod that has it.
    await endpointsAre(name, { 'multi-1': [100], 'multi-2': [100, 101] })
    const said = await shell(
      askers[0]!,
      `end=$(($(date +%s)+60)); until timeout 5 wget -q -O - http://${made.spec!.clusterIP}:81/hostname || [ $(date +%s) -ge $end ]; do :; done`,
    )
    assert.equal(said, 'multi-2')
    await Promise.all(['multi-1', 'multi-2'].map((pod) => pods.delete(pod)))
    await endpointsAre(name, {})
  })
  void test(
    '[sig-network] Services should serve endpoints on same port and different protocols [Conformance]',
    deadline,
    async () => {
      const name = 'multiprotocol-test'
      const tcp: V1ServicePort = { name: 'tcp', protocol: 'TCP', port: 80, targetPort: 80 }
      const udp: V1ServicePort = { name: 'udp', protocol: 'UDP', port: 80, targetPort: 80 }
      const made = await service(name, { selector: { app: name }, ports: [tcp, udp] })
      const address = `${made.spec!.clusterIP}:80`
      await backend('protocols', name, ['netexec', '--http-port=80', '--udp-port=80'])
      await endpointsAre(name, { protocols: [80, 80] })
      const says = (protocol: string, expected: string): Promise<void> =>
        becomes(
          askers[0]!,
          `/agnhost connect --timeout=3s --protocol=${protocol} ${address} 2>/dev/null && echo open || echo closed`,
          expected,
        )
      await says('tcp', 'open')
      await says('udp', 'open')
      const change = async (ports: V1ServicePort[]): Promise<void> => {
        const present = await cluster.core.readNamespacedService(at(name))
        await cluster.core.replaceNamespacedService({
          ...at(name),
          body: changed(present, { spec: changed(present.spec!, { ports }) }),
        })
      }
      await change([tcp])
      await endpointsAre(name, { protocols: [80] })
      await says('tcp', 'open')
      await says('udp', 'closed')
      await change([udp])
      await says('udp', 'open')
      await says('tcp', 'closed')
      await pods.delete('protocols')
    },
  )
  void test(
    '[sig-network] Services should be able to create a functioning NodePort service [Conformance]',
    deadline,
    async () => {
      const name = 'nodeport-test'
      const hosts = await backends(name, 2)
      const made = await service(name, {
        type: 'NodePort',
        selector: { app: name },
        ports: [{ port: 80, targetPort: 9376 }],
      })
      await reaches(`${name}:80`, hosts)
      await reaches(`${made.spec!.clusterIP}:80`, hosts)
      for (const { address } of nodes) await reaches(`${address}:${made.spec!.ports![0]!.nodePort}`, hosts)
      await Promise.all(hosts.map((pod) => pods.delete(pod)))
    },
  )

  const turned = async (name: string, change: (spec: V1ServiceSpec) => V1ServiceSpec): Promise<V1Service> => {
    const present = await cluster.core.readNamespacedService(at(name))
    return cluster.core.replaceNamespacedService({
      ...at(name),
      body: changed(present, { spec: change(present.spec!) }),
    })
  }
  const isAlias = (name: string, target: string): Promise<void> =>
    becomes(askers[0]!, `dig +short ${name}.${pods.namespace}.svc.cluster.local CNAME`, `${target}.`)
  const toPort = (spec: V1ServiceSpec, type: string, app: string): V1ServiceSpec =>
    changed(spec, {
      type,
      externalName: undefined,
      selector: { app },
      ports: [{ port: 80, name: 'http', targetPort: 9376 }],
    })

  void test(
    '[sig-network] Services should be able to change the type from ExternalName to ClusterIP [Conformance]',
    deadline,
    async () => {
      const name = 'externalname-to-clusterip'
      await service(name, { type: 'ExternalName', externalName: 'foo.example.com' })
      const hosts = await backends(name, 2)
      const made = await turned(name, (spec) => toPort(spec, 'ClusterIP', name))
      await reaches(`${made.spec!.clusterIP}:80`, hosts)
      await Promise.all(hosts.map((pod) => pods.delete(pod)))
    },
  )
  void test(
    '[sig-network] Services should be able to change the type from ExternalName to NodePort [Conformance]',
    deadline,
    async () => {
      const name = 'externalname-to-nodeport'
      await service(name, { type: 'ExternalName', externalName: 'foo.example.com' })
      const hosts = await backends(name, 2)
      const made = await turned(name, (spec) => toPort(spec, 'NodePort', name))
      await reaches(`${nodes[0]!.address}:${made.spec!.ports![0]!.nodePort}`, hosts)
      await Promise.all(hosts.map((pod) => pods.delete(pod)))
    },
  )
  void test(
    '[sig-network] Services should be able to change the type from ClusterIP to ExternalName [Conformance]',
    deadline,
    async () => {
      const name = 'clusterip-to-externalname'
      await service(name, { type: 'ClusterIP', selector: { app: name }, ports: [{ port: 80, targetPort: 9376 }] })
      await turned(name, (spec) =>
        changed(spec, {
          type: 'ExternalName',
          externalName: 'store.example.com',
          clusterIP: undefined,
          clusterIPs: undefined,
        }),
      )
      await isAlias(name, 'store.example.com')
    },
  )
  void test(
    '[sig-network] Services should be able to change the type from NodePort to ExternalName [Conformance]',
    deadline,
    async () => {
      const name = 'nodeport-to-externalname'
      const made = await service(name, {
        type: 'NodePort',
        selector: { app: name },
        ports: [{ port: 80, targetPort: 9376 }],
      })
      const { nodePort } = made.spec!.ports![0]!
      await turned(name, (spec) =>
        changed(spec, {
          type: 'ExternalName',
          externalName: 'store.example.com',
          clusterIP: undefined,
          clusterIPs: undefined,
          ports: undefined,
        }),
      )
      await isAlias(name, 'store.example.com')
      // The port is free for another.
      const other = await service(`${name}-2`, {
        type: 'NodePort',
        selector: { app: name },
        ports: [{ port: 80, nodePort: nodePort! }],
      })
      assert.equal(other.spec!.ports![0]!.nodePort, nodePort)
    },
  )

  /** All questions of one client go to one pod, or to more than one. */
  const sticks = async (address: string, wanted: boolean): Promise<void> => {
    // The rule reaches the node a moment after the answer of the API: asked until it holds, within a bound.
    let seen: readonly string[] = []
    for (let round = 0; round < 20; round += 1) {
      seen = await answers(askers[0]!, address, 15)
      if (seen.every((name) => name !== '') && (new Set(seen).size === 1) === wanted) return
    }
    assert.fail(`${wanted ? 'no' : 'still'} affinity at ${address}: ${seen.join(' ')}`)
  }
  const affinity = async (name: string, type: 'ClusterIP' | 'NodePort', switches: boolean): Promise<void> => {
    const hosts = await backends(name, 3)
    const made = await service(name, {
      type,
      selector: { app: name },
      sessionAffinity: switches ? 'None' : 'ClientIP',
      ports: [{ port: 80, targetPort: 9376 }],
    })
    const address =
      type === 'ClusterIP' ? `${made.spec!.clusterIP}:80` : `${nodes[1]!.address}:${made.spec!.ports![0]!.nodePort}`
    if (switches) {
      await reaches(address, hosts, askers.slice(0, 1))
      await turned(name, (spec) => changed(spec, { sessionAffinity: 'ClientIP' }))
      await sticks(address, true)
      await turned(name, (spec) => changed(spec, { sessionAffinity: 'None', sessionAffinityConfig: undefined }))
      await sticks(address, false)
    } else await sticks(address, true)
    await Promise.all(hosts.map((pod) => pods.delete(pod)))
  }
  void test(
    '[sig-network] Services should have session affinity work for service with type clusterIP [LinuxOnly] [Conformance]',
    deadline,
    () => affinity('affinity-clusterip', 'ClusterIP', false),
  )
  void test(
    '[sig-network] Services should be able to switch session affinity for service with type clusterIP [LinuxOnly] [Conformance]',
    deadline,
    () => affinity('affinity-clusterip-transition', 'ClusterIP', true),
  )
  void test(
    '[sig-network] Services should have session affinity work for NodePort service [LinuxOnly] [Conformance]',
    deadline,
    () => affinity('affinity-nodeport', 'NodePort', false),
  )
  void test(
    '[sig-network] Services should be able to switch session affinity for NodePort service [LinuxOnly] [Conformance]',
    deadline,
    () => affinity('affinity-nodeport-transition', 'NodePort', true),
  )
})

function inOrder(words: readonly string[]): readonly string[] {
  return words.toSorted((a, b) => a.localeCompare(b))
}
