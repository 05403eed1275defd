// What the endpoint loops make of services and pods; nothing is routed, so nodes are simulated.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { Objects, Refusal, type AnyObject } from '../objects.ts'

const deadline = { timeout: 120_000 }
const SLICE_WAIT_MS = 90_000

interface Port {
  readonly name: string
  readonly port: number
  readonly protocol: string
}

interface Endpoint {
  readonly addresses: readonly string[]
  readonly targetRef: object
}

interface Address {
  readonly ip: string
  readonly targetRef: object
}

interface Subset {
  readonly addresses?: readonly Address[]
  readonly notReadyAddresses?: readonly Address[]
  readonly ports: readonly Port[]
}

void suite('endpoint loops', { concurrency: 8 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  class Place {
    readonly namespace: string
    readonly pods: Objects
    readonly services: Objects
    readonly endpoints: Objects
    readonly slices: Objects

    constructor(namespace: string) {
      this.namespace = namespace
      this.pods = new Objects(cluster, 'v1', 'pods', namespace)
      this.services = new Objects(cluster, 'v1', 'services', namespace)
      this.endpoints = new Objects(cluster, 'v1', 'endpoints', namespace)
      this.slices = new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices', namespace)
    }

    slicesOf(service: string, isWanted: (items: readonly AnyObject[]) => boolean): Promise<readonly AnyObject[]> {
      const query = { labelSelector: `kubernetes.io/service-name=${service}` }
      return this.slices.listed(query, isWanted, SLICE_WAIT_MS).then(({ items }) => items)
    }

    async endpointsOf(service: string, isWanted: (subsets: readonly Subset[]) => boolean): Promise<readonly Subset[]> {
      const query = { fieldSelector: `metadata.name=${service}` }
      const subsets = ([found]: readonly AnyObject[]): readonly Subset[] => found?.['subsets'] ?? []
      const { items } = await this.endpoints.listed(
        query,
        (found) => found.length === 1 && isWanted(subsets(found)),
        SLICE_WAIT_MS,
      )
      return subsets(items)
    }
  }
  const place = async (name: string): Promise<Place> => new Place(await cluster.namespace(name))

  const unmatched = {
    metadata: { name: 'example-empty-selector' },
    spec: {
      selector: { 'does-not-match-anything': 'endpoints-and-endpoint-slices-should-still-be-created' },
      ports: [{ name: 'example', port: 80, protocol: 'TCP' }],
    },
  }

  void test(
    '[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods [Conformance]',
    deadline,
    async () => {
      const { services, endpoints } = await place('endpoints')
      const { name } = unmatched.metadata
      await services.create(unmatched)
      const { items } = await endpoints.listed({ fieldSelector: `metadata.name=${name}` }, (all) => all.length === 1)
      assert.deepEqual(items[0]!['subsets'] ?? [], [])
      await services.delete(name)
      await endpoints.isGone(name)
      await assert.rejects(endpoints.get(name), (error) => error instanceof Refusal && error.code === 404)
    },
  )

  void test(
    '[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods [Conformance]',
    deadline,
    async () => {
      const here = await place('endpoint-slices')
      const { name } = unmatched.metadata
      await here.services.create(unmatched)
      const [slice] = await here.slicesOf(name, (items) => items.length > 0)
      assert.equal(
        slice!.metadata.labels?.['endpointslice.kubernetes.io/managed-by'],
        'endpointslice-controller.k8s.io',
      )
      assert.deepEqual(slice!['endpoints'] ?? [], [])
      await here.services.delete(name)
      await here.slicesOf(name, (items) => items.length === 0)
    },
  )

  interface Matched {
    readonly here: Place
    readonly pods: readonly AnyObject[]
  }

  /** Two pods that name the same port differently, and three services that select one, both and none. */
  async function matched(): Promise<Matched> {
    const here = await place('endpoints')
    const port = (name: string, containerPort: number): object => ({ name, containerPort })
    const make = (name: string, ports: readonly object[]): Promise<AnyObject> =>
      here.pods.create({
        metadata: { name, labels: { [name]: 'on', shared12: 'on' } },
        spec: { containers: [{ name: 'container1', image: pause, ports }] },
      })
    await make('pod1', [port('example-name', 3000)])
    await make('pod2', [port('example-name', 3001), port('other-port', 3002)])
    const serve = (name: string, label: string, portName: string, targetPort: number | string): Promise<AnyObject> =>
      here.services.create({
        metadata: { name },
        spec: {
          selector: { [label]: 'on' },
          publishNotReadyAddresses: true,
          ports: [{ name: portName, port: 80, targetPort, protocol: 'TCP' }],
        },
      })
    await serve('example-int-port', 'pod1', 'example', 3000)
    await serve('example-named-port', 'shared12', 'http', 'example-name')
    await serve('example-no-match', 'pod3', 'example-no-match', 8080)
    const { items } = await here.pods.listed({}, (all) => all.every(({ status }) => status.podIPs?.length > 0))
    const byName = items.toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
    assert.equal(byName.length, 2)
    return { here, pods: byName }
  }

  const targetOf = ({ metadata: { namespace, name, uid } }: AnyObject): object => ({
    kind: 'Pod',
    namespace,
    name,
    uid,
  })
  const port = (name: string, number: number): Port => ({ name, port: number, protocol: 'TCP' })
  const counted = (of: readonly (readonly unknown[] | undefined)[]): number =>
    of.reduce((sum, each) => sum + (each?.length ?? 0), 0)

  /** Each pod once, as itself, with its port. */
  const holds = (
    found: readonly { readonly ip: string; readonly targetRef: object; readonly ports: readonly Port[] }[],
    pods: readonly AnyObject[],
    ports: readonly Port[],
  ): void => {
    const byAddress = new Map(found.map((each) => [each.ip, each]))
    assert.equal(byAddress.size, pods.length)
    for (const [index, pod] of pods.entries()) {
      const own = byAddress.get(pod['status'].podIP)
      assert.ok(own !== undefined, `no endpoint ${pod['status'].podIP}`)
      const { kind, namespace, name, uid } = own.targetRef as Record<string, unknown>
      assert.deepEqual({ kind, namespace, name, uid }, targetOf(pod))
      assert.deepEqual(own.ports, [ports[index]])
    }
  }

  async function expectEndpoints(here: Place, service: string, pods: readonly AnyObject[], ports: readonly Port[]) {
    const all = (subset: Subset): readonly Address[] => [
      ...(subset.addresses ?? []),
      ...(subset.notReadyAddresses ?? []),
    ]
    const subsets = await here.endpointsOf(
      service,
      (now) => now.length === pods.length && counted(now.map(all)) === pods.length,
    )
    holds(
      subsets.flatMap((subset) => all(subset).map((address) => ({ ...address, ports: subset.ports }))),
      pods,
      ports,
    )
  }

  async function expectSlices(here: Place, service: string, pods: readonly AnyObject[], ports: readonly Port[]) {
    const slices = await here.slicesOf(
      service,
      (now) => now.length >= Math.max(1, pods.length) && counted(now.map((each) => each['endpoints'])) === pods.length,
    )
    if (pods.length === 0) {
      assert.equal(slices.length, 1)
      assert.deepEqual(slices[0]!['ports'] ?? [], [])
    }
    const endpoints = slices.flatMap((slice) =>
      ((slice['endpoints'] ?? []) as readonly Endpoint[]).map(({ addresses, targetRef }) => ({
        ip: addresses[0]!,
        targetRef,
        ports: slice['ports'] as readonly Port[],
      })),
    )
    holds(endpoints, pods, ports)
  }

  void test(
    '[sig-network] EndpointsController should create Endpoints for Pods matching a Service [Conformance]',
    deadline,
    async () => {
      const { here, pods } = await matched()
      await expectEndpoints(here, 'example-int-port', [pods[0]!], [port('example', 3000)])
      await expectEndpoints(here, 'example-named-port', pods, [port('http', 3000), port('http', 3001)])
      await expectEndpoints(here, 'example-no-match', [], [])
    },
  )

  void test(
    '[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]',
    deadline,
    async () => {
      const { here, pods } = await matched()
      const both = async (service: string, own: readonly AnyObject[], ports: readonly Port[]): Promise<void> => {
        await expectSlices(here, service, own, ports)
        await expectEndpoints(here, service, own, ports)
      }
      const named = [port('http', 3000), port('http', 3001)]
      await both('example-int-port', [pods[0]!], [port('example', 3000)])
      await both('example-named-port', pods, named)
      await both('example-no-match', [], [])
      // Slices that a client deletes are made again.
      const before = await here.slicesOf('example-named-port', () => true)
      for (const { metadata } of before) await here.slices.delete(metadata.name)
      await here.slicesOf('example-named-port', (now) =>
        now.every(({ metadata }) => before.every((old) => old.metadata.uid !== metadata.uid)),
      )
      await both('example-named-port', pods, named)
    },
  )

  void test(
    '[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]',
    deadline,
    async () => {
      const here = await place('mirroring')
      const name = 'example-custom-endpoints'
      await here.services.create({
        metadata: { name },
        spec: { ports: [{ name: 'example', port: 80, protocol: 'TCP' }] },
      })
      const endpoints = (ip: string): object => ({
        metadata: { name },
        subsets: [{ ports: [{ port: 80 }], addresses: [{ ip }] }],
      })
      const isMirrored = (slice: AnyObject, ip: string): boolean =>
        slice['ports']?.length === 1 &&
        slice['ports'][0].port === 80 &&
        slice['endpoints']?.length === 1 &&
        slice['endpoints'][0].addresses.join() === ip
      await here.endpoints.create(endpoints('10.1.2.3'))
      const first = await here.slicesOf(name, (items) => items.length > 0)
      assert.ok(
        first.every((slice) => isMirrored(slice, '10.1.2.3')),
        JSON.stringify(first),
      )
      await here.endpoints.replace({
        apiVersion: 'v1',
        kind: 'Endpoints',
        ...endpoints('10.2.3.4'),
      } as AnyObject)
      await here.slicesOf(name, (items) => items.length === 1 && isMirrored(items[0]!, '10.2.3.4'))
      await here.endpoints.delete(name)
      await here.slicesOf(name, (items) => items.length === 0)
    },
  )

  void test('[sig-network] Service endpoints latency should not be very high [Conformance]', deadline, async () => {
    const { namespace, services, endpoints } = await place('svc-latency')
    const selector = { name: 'svc-latency-rc' }
    const template = { metadata: { labels: selector }, spec: { containers: [{ name: 'pause', image: pause }] } }
    const controllers = new Objects(cluster, 'v1', 'replicationcontrollers', namespace)
    await controllers.create({ metadata: selector, spec: { replicas: 1, selector, template } })
    await controllers.listed({}, ([found]) => found?.['status']?.readyReplicas === 1)

    const trials = 200
    const waiting = new Map<string, PromiseWithResolvers<void>>()
    const seen = (name: string): PromiseWithResolvers<void> => {
      const own = waiting.get(name) ?? Promise.withResolvers<void>()
      waiting.set(name, own)
      return own
    }
    using watch = await endpoints.watch({})
    let count = 0
    const names = new Set<string>()
    const all = watch.until(({ object }) => {
      if (!(object['subsets']?.[0]?.addresses?.length > 0)) return false
      names.add(object.metadata.name)
      seen(object.metadata.name).resolve()
      return names.size > trials
    }, 100_000)
    /** Milliseconds from the request to the endpoints. */
    const trial = async (): Promise<number> => {
      const start = performance.now()
      const ports = [{ protocol: 'TCP', port: 80 }]
      const { metadata } = await services.create({
        metadata: { generateName: 'latency-svc-' },
        spec: { type: 'ClusterIP', sessionAffinity: 'None', selector, ports },
      })
      await Promise.race([seen(metadata.name).promise, all])
      return performance.now() - start
    }
    // The first shows that the pod counts as ready; it is not measured.
    await trial()
    const took: number[] = []
    const worker = async (): Promise<void> => {
      while (count < trials) {
        count += 1
        took.push(await trial())
      }
    }
    await Promise.all([all, ...Array.from({ length: 15 }, worker)])
    const sorted = took.toSorted((left, right) => left - right)
    const percentile = (share: number): number => sorted[Math.floor((sorted.length * share) / 100)]!
    assert.equal(sorted.length, trials)
    // The suite's limits, which leave room for any machine.
    assert.ok(percentile(50) <= 20_000, `median of ${percentile(50)} ms`)
    assert.ok(percentile(99) <= 50_000, `99th percentile of ${percentile(99)} ms`)
  })
})
