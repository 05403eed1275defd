// Random nodes and pods for the property tests: few names, so that selectors, zones and ports meet often.

import type { Affinity, Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from '@aksel/api/types/core-v1'
import type { Random } from '@aksel/base/ids'
import { fraction } from '@aksel/base/ids'

export class Chance {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  below(count: number): number {
    return Math.floor(fraction(this.#random) * count)
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  is(probability: number): boolean {
    return fraction(this.#random) < probability
  }

  maybe<T>(probability: number, make: () => T): T | undefined {
    return this.is(probability) ? make() : undefined
  }
}

const zones = ['z1', 'z2', 'z3'] as const
const apps = ['a', 'b', 'c'] as const
export const namespaces = ['red', 'blue'] as const
export const namespaceLabels = { red: { team: 'x' }, blue: { team: 'y' } } as const

/** Leaves out what is undefined, as objects off the wire have it. */
function clean<T extends object>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T
}

export function randomNode(chance: Chance, name: string): Node {
  return clean({
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'topology.kubernetes.io/zone': chance.maybe(0.85, () => chance.one(zones)),
        disk: chance.maybe(0.5, () => chance.one(['ssd', 'hdd'])),
        size: chance.maybe(0.5, () => String(chance.below(5))),
      },
    },
    spec: {
      unschedulable: chance.maybe(0.1, () => true),
      taints: chance.maybe(0.3, () => [
        {
          key: 'k',
          value: chance.one(['v', 'w']),
          effect: chance.one(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
        },
      ]),
    },
    status: {
      allocatable: {
        cpu: String(1 + chance.below(4)),
        memory: `${1 + chance.below(8)}Gi`,
        pods: String(2 + chance.below(8)),
        'example.com/gpu': chance.maybe(0.3, () => '2'),
      },
      images: chance.maybe(0.5, () => [{ names: ['app:1'], sizeBytes: 100_000_000 * (1 + chance.below(9)) }]),
    },
  } as unknown as Node)
}

function randomTerm(chance: Chance): PodAffinityTerm {
  return {
    topologyKey: chance.one(['kubernetes.io/hostname', 'topology.kubernetes.io/zone']),
    labelSelector: { matchLabels: { app: chance.one(apps) } },
    ...(chance.is(0.2) ? { namespaceSelector: chance.is(0.5) ? {} : { matchLabels: { team: 'x' } } } : {}),
    ...(chance.is(0.2) ? { namespaces: [chance.one(namespaces)] } : {}),
    ...(chance.is(0.2) ? { matchLabelKeys: ['version'] } : {}),
    ...(chance.is(0.1) ? { mismatchLabelKeys: ['version'] } : {}),
  }
}

function randomAffinity(chance: Chance): Affinity {
  const required = (): object => ({ requiredDuringSchedulingIgnoredDuringExecution: [randomTerm(chance)] })
  const preferred = (): object => ({
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 1 + chance.below(100), podAffinityTerm: randomTerm(chance) },
    ],
  })
  const either = (): object => (chance.is(0.5) ? required() : preferred())
  return {
    podAffinity: chance.maybe(0.4, either),
    podAntiAffinity: chance.maybe(0.4, either),
    nodeAffinity: chance.maybe(0.4, () => ({
      requiredDuringSchedulingIgnoredDuringExecution: chance.maybe(0.4, () => ({
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'size', operator: chance.one(['Gt', 'Lt', 'Exists']), values: ['2'] }] },
          { matchExpressions: [{ key: 'disk', operator: 'NotIn', values: ['hdd'] }] },
        ],
      })),
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 1 + chance.below(50),
          preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] },
        },
      ],
    })),
  } as Affinity
}

function randomConstraint(chance: Chance): TopologySpreadConstraint {
  return {
    topologyKey: chance.one(['kubernetes.io/hostname', 'topology.kubernetes.io/zone']),
    maxSkew: 1 + chance.below(2),
    whenUnsatisfiable: chance.one(['DoNotSchedule', 'ScheduleAnyway']),
    labelSelector: { matchLabels: { app: chance.one(apps) } },
    ...(chance.is(0.2) ? { minDomains: 1 + chance.below(4) } : {}),
    ...(chance.is(0.3) ? { nodeTaintsPolicy: 'Honor' } : {}),
    ...(chance.is(0.3) ? { nodeAffinityPolicy: 'Ignore' } : {}),
    ...(chance.is(0.2) ? { matchLabelKeys: ['version'] } : {}),
  }
}

export function randomPod(chance: Chance, name: string): Pod {
  const requests = (): object => ({
    cpu: chance.maybe(0.7, () => `${100 * chance.below(12)}m`),
    memory: chance.maybe(0.7, () => `${128 * chance.below(8)}Mi`),
    'example.com/gpu': chance.maybe(0.05, () => '1'),
  })
  return clean({
    metadata: {
      name,
      namespace: chance.one(namespaces),
      labels: { app: chance.one(apps), version: chance.maybe(0.7, () => chance.one(['1', '2'])) },
      deletionTimestamp: chance.maybe(0.05, () => '2026-01-01T00:00:00Z'),
    },
    spec: {
      containers: [
        {
          name: 'c',
          image: chance.one(['app:1', 'other']),
          resources: { requests: requests() },
          ports: chance.maybe(0.15, () => [
            { containerPort: 80, hostPort: 80 + chance.below(2), hostIP: chance.maybe(0.3, () => '10.0.0.1') },
          ]),
        },
      ],
      initContainers: chance.maybe(0.2, () => [
        { name: 'i', resources: { requests: requests() }, restartPolicy: chance.maybe(0.4, () => 'Always') },
      ]),
      overhead: chance.maybe(0.1, () => ({ cpu: '50m' })),
      resources: chance.maybe(0.1, () => ({ requests: { cpu: '700m' } })),
      priority: chance.below(3) * 100,
      nodeSelector: chance.maybe(0.15, () => ({ disk: 'ssd' })),
      tolerations: chance.maybe(0.4, () => [{ key: 'k', operator: chance.one(['Exists', 'Equal']), value: undefined }]),
      affinity: chance.maybe(0.5, () => randomAffinity(chance)),
      topologySpreadConstraints: chance.maybe(0.4, () =>
        Array.from({ length: 1 + chance.below(2) }, () => randomConstraint(chance)),
      ),
    },
  } as unknown as Pod)
}
