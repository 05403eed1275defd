// Network policy on the real kernel, judged by an oracle that reads the policies one by one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkPolicies, pods } from '@aksel/api/resources'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '@aksel/api/types/networking-v1'
import { seededRandom, type Random } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { NAMESPACES, podObject, withPolicies, type PolicyBench } from '../testing/policy-bench.ts'

function policy(namespace: string, name: string, spec: NetworkPolicy['spec']): NetworkPolicy {
  return { metadata: { namespace, name }, spec }
}
const denyIn = (namespace: string): NetworkPolicy =>
  policy(namespace, 'deny-in', { podSelector: {}, policyTypes: ['Ingress'] })

class Dice {
  readonly #random: Random
  constructor(random: Random) {
    this.#random = random
  }
  below(limit: number): number {
    const [high, low] = this.#random.nextBytes(2) as unknown as [number, number]
    return (high * 256 + low) % limit
  }
  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
  some<T>(max: number, make: () => T): readonly T[] {
    return Array.from({ length: this.below(max + 1) }, make)
  }
}

function randomPolicy(dice: Dice, index: number, bench: PolicyBench): NetworkPolicy {
  const podSelector = () =>
    dice.one([
      {},
      { matchLabels: { app: dice.one(['web', 'db', 'none']) } },
      { matchExpressions: [{ key: 'n', operator: dice.one(['In', 'NotIn']), values: [dice.one(['0', '1', '2'])] }] },
    ])
  const namespaceSelector = () =>
    dice.one([
      {},
      { matchLabels: { team: dice.one(['a', 'b']) } },
      { matchExpressions: [{ key: 'tier', operator: dice.one(['Exists', 'DoesNotExist']) }] },
    ])
  const ipBlock = () =>
    dice.one([
      { cidr: '10.244.0.0/16' },
      { cidr: '10.244.0.0/16', except: ['10.244.1.0/24'] },
      { cidr: '0.0.0.0/0', except: [`${dice.one(bench.pods).ip}/32`, `${dice.one(bench.pods).ip}/32`] },
      { cidr: `${dice.one(bench.pods).ip}/32` },
      { cidr: '192.168.0.0/16' },
    ])
  const peer = (): NetworkPolicyPeer =>
    dice.one<() => NetworkPolicyPeer>([
      () => ({ podSelector: podSelector() }),
      () => ({ namespaceSelector: namespaceSelector() }),
      () => ({ namespaceSelector: namespaceSelector(), podSelector: podSelector() }),
      () => ({ ipBlock: ipBlock() }),
    ])()
  const port = (): NetworkPolicyPort => {
    const protocol = dice.one(['TCP', 'UDP'])
    return dice.one<NetworkPolicyPort>([
      { protocol },
      { protocol, port: dice.one([80, 81, 8080, 9999]) },
      { protocol, port: 80, endPort: dice.one([80, 81, 9000]) },
      { protocol, port: dice.one(['http', 'talk', 'nobody']) },
    ])
  }
  const policyTypes = dice.one([['Ingress'], ['Egress'], ['Ingress', 'Egress']])
  return policy(dice.one(Object.keys(NAMESPACES)), `p${index}`, {
    podSelector: podSelector(),
    policyTypes,
    ingress: dice.some(2, () => ({ from: dice.some(2, peer), ports: dice.some(2, port) })),
    egress: dice.some(2, () => ({ to: dice.some(2, peer), ports: dice.some(2, port) })),
  })
}

function randomLabels(dice: Dice, { pods: all }: PolicyBench): Parameters<PolicyBench['relabel']>[0] {
  const podLabels = dice.one([{}, { app: 'web' }, { app: 'db', n: dice.one(['0', '1', '2']) }])
  const namespaceLabels = dice.one([{}, { team: 'a' }, { team: 'b', tier: 'back' }])
  return { pod: dice.one(all), podLabels, namespace: dice.one(Object.keys(NAMESPACES)), namespaceLabels }
}

/** Of each of three namespaces; at full size every set of policies is asked more than 5,000 times. */
const PODS = sized({ gate: 3, full: 10 })

test('random policies let pass exactly what Kubernetes says, also when pods and namespaces get other labels', () =>
  withPolicies({ engine: 'calico', podsPerNamespace: PODS }, async (bench) => {
    const rounds = sized({ gate: 10, full: 50 })
    const dice = new Dice(seededRandom(7))
    let probes = 0
    for (let round = 0; round < rounds; round += 1) {
      const policies = Array.from({ length: 2 + dice.below(6) }, (_, index) => randomPolicy(dice, index, bench))
      await bench.apply(policies)
      await bench.relabel(randomLabels(dice, bench))
      if (round % 5 === 4) await bench.restart()
      const { probes: count, wrong } = await bench.differences(policies)
      probes += count
      assert.deepEqual(wrong, [], `round ${round}: ${JSON.stringify(policies)}`)
    }
    assert.equal(probes, rounds * (3 * PODS) ** 2 * 6)
  }))

test('what is shut stays shut while other things change and agents restart', () =>
  withPolicies({ engine: 'azure', podsPerNamespace: 2 }, async (bench) => {
    const [red] = bench.pods.filter(({ namespace }) => namespace === 'red')
    const shut = bench.pods.filter(({ namespace }) => namespace === 'blue')
    const targets = shut.flatMap(({ ip }) => [{ protocol: 'tcp', port: 80, ip } as const])
    await bench.apply([denyIn('blue')])
    const changes = sized({ gate: 12, full: 200 })
    for (let n = 0; n < changes; n += 1) {
      const others = Array.from({ length: n % 4 }, (_, index) =>
        policy('blue', `only-green-${index}`, {
          podSelector: { matchLabels: { app: index % 2 === 0 ? 'web' : 'db' } },
          policyTypes: ['Ingress'],
          ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'green' } } }] }],
        }),
      )
      const change = n % 5 === 4 ? bench.restart() : bench.apply([denyIn('blue'), ...others])
      const [reached] = await Promise.all([red!.reaches(targets), change])
      assert.deepEqual(reached, [false, false], `after ${n} changes`)
    }
    await bench.apply([])
    assert.deepEqual(await red!.reaches(targets), [true, true])
  }))

test('a pod is shut off before its first container may start, and until nothing of it is left', () =>
  withPolicies({ engine: 'calico', podsPerNamespace: 1 }, async (bench) => {
    const [red, , blue] = bench.pods as [PolicyBench['pods'][0], PolicyBench['pods'][0], PolicyBench['pods'][0]]
    const target = [{ protocol: 'tcp', port: 80, ip: blue.ip } as const]
    await bench.apply([denyIn('blue')])
    assert.deepEqual(await red.reaches(target), [false])
    // The API has no address for it yet, and later knows nothing of it any more; the node does.
    const object = podObject(blue)
    const { podIP: _, ...status } = object.status!
    bench.caches.of(pods).put({ ...object, status })
    await bench.settled()
    assert.deepEqual(await red.reaches(target), [true], 'without an address no rule can name it')
    const enforcer = bench.enforcers[blue.machine]!
    await enforcer.guard(object, [blue.ip], new AbortController().signal)
    assert.deepEqual(await red.reaches(target), [false])
    bench.caches.of(pods).delete('blue/blue-0')
    await bench.settled()
    assert.deepEqual(await red.reaches(target), [false])
    // An agent that restarts now hears of it from the runtime alone.
    await bench.restart()
    assert.deepEqual(await red.reaches(target), [false])
    const restarted = bench.enforcers[blue.machine]!
    restarted.release('blue-0')
    await bench.settled()
    assert.deepEqual(await red.reaches(target), [true])
  }))

test('the node reaches its pods whatever policies say; other nodes are judged by address, and cilium takes no range for them', () =>
  withPolicies({ engine: 'cilium', podsPerNamespace: 1 }, async (bench) => {
    const [red, green] = bench.pods as [PolicyBench['pods'][0], PolicyBench['pods'][0]]
    const open = policy('red', 'everywhere', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }],
    })
    const ask = async (machine: number): Promise<string> => {
      const namespace = bench.machines[machine]!.networkNamespace
      return bench.ask(red.ip, 80, namespace)
    }
    await bench.apply([open])
    assert.equal(await ask(red.machine), 'here')
    assert.equal(await ask(1 - red.machine), '')
    assert.deepEqual(await green.reaches([{ protocol: 'tcp', port: 80, ip: red.ip }]), [false])
    await bench.apply([denyIn('red')])
    assert.equal(await ask(red.machine), 'here')
    assert.equal(bench.caches.of(networkPolicies).list().length, 1)
  }))
