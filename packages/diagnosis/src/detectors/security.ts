// What a reviewer of a cluster's security asks about first. Told when it is asked for: much of it is meant.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { PolicyRule } from '@aksel/api/types/rbac-v1'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { podRef, refOf, type Picture } from '../picture.ts'
import { wantedPods } from '../pod-facts.ts'
import { listed } from '../words.ts'

export function security(picture: Picture): readonly Found[] {
  return [...wantedPods(picture).flatMap((pod) => podFindings(pod)), ...wildcardRoles(picture)]
}

function podFindings(pod: Pod): readonly Found[] {
  const subject = podRef(pod)
  const { spec } = pod
  const containers: readonly Container[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const namesOf = (isMeant: (container: Container) => boolean): readonly string[] =>
    containers.filter(isMeant).map(({ name }) => name)
  const found: Found[] = []
  const tell = (id: string, what: Pick<Found, 'symptom' | 'cause' | 'fix'>, line: string): void =>
    void found.push({
      id: `security/${id}`,
      subject,
      ...what,
      evidence: [{ subject, line }],
      commands: [describeCommand(subject)],
      confidence: 'possible',
    })
  const privileged = namesOf(({ securityContext }) => securityContext?.privileged === true)
  if (privileged.length > 0)
    tell(
      'privileged',
      {
        symptom: 'Who is in the container is on the node.',
        cause: `It is privileged: ${listed(privileged)}.`,
        fix: 'Take privileged away, or give single capabilities; enforce the level "baseline" on its namespace.',
      },
      'securityContext.privileged: true',
    )
  // A context of the pod holds for its containers.
  const bare =
    Object.keys(spec.securityContext ?? {}).length > 0
      ? []
      : namesOf(({ securityContext }) => Object.keys(securityContext ?? {}).length === 0)
  if (bare.length > 0)
    tell(
      'no-security-context',
      {
        symptom: 'The container runs as its image says, as root for most.',
        cause: `Neither the pod nor ${listed(bare)} has a securityContext.`,
        fix: 'Set runAsNonRoot, allowPrivilegeEscalation: false and a seccompProfile, as the level "restricted" wants.',
      },
      'securityContext: (none)',
    )
  const isDefault = (spec.serviceAccountName ?? 'default') === 'default'
  if (isDefault && spec.automountServiceAccountToken !== false)
    tell(
      'default-account',
      {
        symptom: 'Whatever is ever given to "default" is given to this pod as well.',
        cause: 'It runs as the service account "default" of its namespace, and carries its token.',
        fix: 'Give it an account of its own, or set automountServiceAccountToken: false.',
      },
      'spec.serviceAccountName: default',
    )
  return found
}

/** Those that come with every cluster are meant so. */
function wildcardRoles({ roles, clusterRoles }: Picture): readonly Found[] {
  const all = [
    ...roles.map((role) => ({ kind: 'Role', role })),
    ...clusterRoles.map((role) => ({ kind: 'ClusterRole', role })),
  ]
  return all.flatMap(({ kind, role }): readonly Found[] => {
    const isOwn = role.metadata.labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults'
    const wild = (role.rules ?? []).filter(isWild)
    if (isOwn || role.metadata.name.startsWith('system:') || wild.length === 0) return []
    const subject = refOf(kind, role)
    return [
      {
        id: 'security/wildcard-role',
        subject,
        symptom: 'Who has the role may do more than anybody has thought of, kinds of the future included.',
        cause: `A rule of it says "*" for ${listed(['verbs', 'resources'].filter((part) => (wild[0]![part as 'verbs'] ?? []).includes('*')))}.`,
        evidence: [{ subject, line: `rules: ${JSON.stringify(wild[0])}` }],
        fix: 'Name the verbs and the resources.',
        commands: [
          describeCommand(subject),
          `kubectl get ${kind === 'Role' ? `rolebindings${inNamespace(subject)}` : 'clusterrolebindings,rolebindings -A'} -o wide`,
        ],
        confidence: 'possible',
      },
    ]
  })
}

function isWild({ verbs, resources = [] }: PolicyRule): boolean {
  return verbs.includes('*') || resources.includes('*')
}
