// What lies about and does nothing, or says less than it seems to. Told when it is asked for: nothing is broken.

import type { Pod } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'

/** Smaller than any disk that Azure makes. */
const TINY_BYTES = 1024 ** 3
/** Made by the cluster for whoever may look for them. */
const clusterOwn = new Set(['kube-root-ca.crt'])

export function tidiness(picture: Picture): readonly Found[] {
  return [...configMaps(picture), ...openPolicies(picture), ...tinyVolumes(picture)]
}

function configMaps(picture: Picture): readonly Found[] {
  if (picture.unread.has('pods')) return []
  const used = new Set(picture.pods.flatMap((pod) => namedBy(pod).map((name) => `${pod.metadata.namespace}/${name}`)))
  return picture.configMaps.flatMap((map): readonly Found[] => {
    const { name, namespace = '', ownerReferences = [] } = map.metadata
    if (clusterOwn.has(name) || namespace.startsWith('kube-')) return []
    const subject = refOf('ConfigMap', map)
    const keys = Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length
    const common = { subject, commands: [describeCommand(subject)], confidence: 'possible' as const }
    if (keys === 0)
      return [
        {
          ...common,
          id: 'tidiness/config-map-empty',
          symptom: 'Who reads it reads nothing.',
          cause: 'It has no key.',
          evidence: [{ subject, line: 'data: (none)' }],
          fix: 'Fill it, or delete it.',
        },
      ]
    // What another object owns goes with it; programs may read it over the API.
    if (ownerReferences.length > 0 || used.has(`${namespace}/${name}`)) return []
    return [
      {
        ...common,
        id: 'tidiness/config-map-unused',
        symptom: 'No pod uses it.',
        cause:
          'No volume and no variable of a pod in its namespace names it; a program may still read it over the API.',
        evidence: [{ subject, line: `data: ${keys} keys` }],
        fix: 'Delete it, if nobody reads it over the API.',
      },
    ]
  })
}

function namedBy({ spec }: Pod): readonly string[] {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const names = [
    ...(spec.volumes ?? []).flatMap(({ configMap, projected }) => [
      configMap?.name,
      ...(projected?.sources ?? []).map((source) => source.configMap?.name),
    ]),
    ...containers.flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...envFrom.map(({ configMapRef }) => configMapRef?.name),
    ]),
  ]
  return names.filter((name) => name !== undefined)
}

/** A rule without anything in it is no rule: it lets everything through. */
function openPolicies({ networkPolicies }: Picture): readonly Found[] {
  return networkPolicies.flatMap((policy): readonly Found[] => {
    const { ingress = [], egress = [] } = policy.spec ?? {}
    const ways = [
      ...(ingress.some((rule) => Object.keys(rule).length === 0) ? ['ingress'] : []),
      ...(egress.some((rule) => Object.keys(rule).length === 0) ? ['egress'] : []),
    ]
    if (ways.length === 0) return []
    const subject = refOf('NetworkPolicy', policy)
    return [
      {
        id: 'tidiness/policy-allows-all',
        subject,
        symptom: 'The policy keeps nobody away.',
        cause: `An empty rule of ${ways.join(' and ')} allows everything.`,
        evidence: [{ subject, line: ways.map((way) => `spec.${way}: [{}]`).join(', ') }],
        fix: 'Name who may, or delete the policy; to deny everything leave the list of rules empty.',
        commands: [`kubectl get networkpolicy ${subject.name} -o yaml${inNamespace(subject)}`],
        confidence: 'possible',
      },
    ]
  })
}

function tinyVolumes({ persistentVolumes }: Picture): readonly Found[] {
  return persistentVolumes.flatMap((volume): readonly Found[] => {
    const size = volume.spec?.capacity?.['storage']
    if (size === undefined || quantityUnits(size) >= TINY_BYTES) return []
    const subject = refOf('PersistentVolume', volume)
    return [
      {
        id: 'tidiness/volume-tiny',
        subject,
        symptom: 'The volume will be full soon.',
        cause: `It has ${size}, less than the smallest disk of Azure.`,
        evidence: [{ subject, line: `spec.capacity.storage: ${size}` }],
        fix: 'Grow its claim, where its class allows that.',
        commands: [describeCommand(subject)],
        confidence: 'possible',
      },
    ]
  })
}
