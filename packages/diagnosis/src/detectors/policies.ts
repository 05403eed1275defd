// Network policies that cut off more than was meant.

import type { NetworkPolicy, NetworkPolicyEgressRule } from '@aksel/api/types/networking-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { inNamespace, type Found } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'
import { wantedPods } from '../pod-facts.ts'
import { counted } from '../words.ts'

const DNS_PORT = 53

export function policies(picture: Picture): readonly Found[] {
  const byPods = picture.networkPolicies.map((policy) => ({ policy, pods: chosenPods(picture, policy) }))
  const empty = byPods.filter(({ pods }) => pods.length === 0).map(({ policy }) => appliesToNone(policy))
  return [...empty, ...withoutDns(picture)]
}

function chosenPods(picture: Picture, { metadata, spec }: NetworkPolicy): readonly Pod[] {
  return wantedPods(picture).filter(
    (pod) =>
      pod.metadata.namespace === metadata.namespace && matchesSelector(spec?.podSelector ?? {}, pod.metadata.labels),
  )
}

function appliesToNone(policy: NetworkPolicy): Found {
  const subject = refOf('NetworkPolicy', policy)
  return {
    id: 'network/policy-applies-to-none',
    subject,
    symptom: 'The policy changes nothing.',
    cause: 'No pod of the namespace has the labels that it selects.',
    evidence: [{ subject, line: `spec.podSelector: ${JSON.stringify(policy.spec?.podSelector ?? {})}` }],
    fix: 'Correct podSelector; an empty one means all pods.',
    commands: [`kubectl get pods --show-labels${inNamespace(subject)}`],
    confidence: 'possible',
  }
}

/** Pods whose egress is limited and that may ask no name server. */
function withoutDns(picture: Picture): readonly Found[] {
  const cut = new Map<NetworkPolicy, Pod[]>()
  for (const pod of wantedPods(picture)) {
    const about = picture.networkPolicies.filter(
      (policy) =>
        limitsEgress(policy) &&
        policy.metadata.namespace === pod.metadata.namespace &&
        matchesSelector(policy.spec?.podSelector ?? {}, pod.metadata.labels),
    )
    if (about.length === 0 || about.some(({ spec }) => (spec?.egress ?? []).some(allowsDns))) continue
    cut.set(about[0]!, [...(cut.get(about[0]!) ?? []), pod])
  }
  return [...cut].map(([policy, pods]) => {
    const subject = refOf('NetworkPolicy', policy)
    return {
      id: 'network/policy-blocks-dns',
      subject,
      symptom: `${counted(pods.length, 'pod')} cannot look up any name, "${pods[0]!.metadata.name}" among them.`,
      cause: `The policy limits what they may send, and nothing allows port ${DNS_PORT}.`,
      evidence: [
        { subject, line: `spec.policyTypes: Egress; spec.egress: ${JSON.stringify(policy.spec?.egress ?? [])}` },
      ],
      fix: 'Allow UDP and TCP port 53 to kube-system in a policy for these pods.',
      commands: [`kubectl get networkpolicies -o yaml${inNamespace(subject)}`],
      confidence: 'certain',
    }
  })
}

function limitsEgress({ spec }: NetworkPolicy): boolean {
  return spec?.policyTypes === undefined ? spec?.egress !== undefined : spec.policyTypes.includes('Egress')
}

function allowsDns({ ports, to }: NetworkPolicyEgressRule): boolean {
  const isOpen = (ports ?? []).length === 0
  const named = (ports ?? []).some(
    ({ protocol = 'TCP', port, endPort }) =>
      protocol === 'UDP' &&
      (port === undefined ||
        port === 'dns' ||
        port === DNS_PORT ||
        (Number(port) <= DNS_PORT && (endPort ?? 0) >= DNS_PORT)),
  )
  // Who may reach some pods only by their labels is given the benefit of the doubt where port 53 is named.
  return (
    named ||
    (isOpen &&
      ((to ?? []).length === 0 ||
        (to ?? []).some(({ namespaceSelector, ipBlock }) => namespaceSelector !== undefined || ipBlock !== undefined)))
  )
}
