// Who may not, and whose papers end soon.

import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { RoleBinding } from '@aksel/api/types/rbac-v1'
import { describeCommand, inNamespace, type Found, type Subject } from '../finding.ts'
import { refOf, type Picture } from '../picture.ts'
import { didYouMean } from '../words.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 14
/** Signers of the cluster's own answer at once. */
const WAITING_MS = 60_000

export function bindings(picture: Picture): readonly Found[] {
  const all: readonly { readonly kind: string; readonly binding: RoleBinding }[] = [
    ...picture.roleBindings.map((binding) => ({ kind: 'RoleBinding', binding })),
    ...picture.clusterRoleBindings.map((binding) => ({ kind: 'ClusterRoleBinding', binding })),
  ]
  return all.flatMap(({ kind, binding }) => {
    const subject = refOf(kind, binding)
    return [...missingRole(picture, subject, binding), ...missingAccounts(picture, subject, binding)]
  })
}

function missingRole(picture: Picture, subject: Subject, { roleRef }: RoleBinding): readonly Found[] {
  const isCluster = roleRef.kind === 'ClusterRole'
  if (picture.unread.has(isCluster ? 'clusterRoles' : 'roles')) return []
  const known = (
    isCluster ? picture.clusterRoles : picture.roles.filter(({ metadata }) => metadata.namespace === subject.namespace)
  ).map(({ metadata }) => metadata.name)
  if (known.includes(roleRef.name)) return []
  return [
    {
      id: 'access/role-missing',
      subject,
      symptom: 'The binding gives nothing to anybody.',
      cause: `Its ${roleRef.kind} "${roleRef.name}" does not exist.${didYouMean(roleRef.name, known)}`,
      evidence: [{ subject, line: `roleRef: ${roleRef.kind}/${roleRef.name}` }],
      fix: 'Create the role; the roleRef of a binding cannot be changed, only the binding made anew.',
      commands: [describeCommand(subject)],
      confidence: 'certain',
    },
  ]
}

/** Bindings of the system may name accounts of parts that are not there. */
function missingAccounts(picture: Picture, subject: Subject, binding: RoleBinding): readonly Found[] {
  if (picture.unread.has('serviceAccounts') || subject.name.startsWith('system:')) return []
  const namespaces = new Set(picture.namespaces.map(({ metadata }) => metadata.name))
  return (binding.subjects ?? []).flatMap(({ kind, name, namespace = subject.namespace }): readonly Found[] => {
    if (kind !== 'ServiceAccount' || namespace === undefined || namespace === 'kube-system') return []
    if (!picture.unread.has('namespaces') && namespaces.size > 0 && !namespaces.has(namespace)) return []
    const here = picture.serviceAccounts.filter(({ metadata }) => metadata.namespace === namespace)
    // Another namespace may not have been read.
    if (here.length === 0 || here.some(({ metadata }) => metadata.name === name)) return []
    return [
      {
        id: 'access/account-missing',
        subject,
        symptom: 'The binding gives its role to an account that does not exist.',
        cause: `There is no service account "${name}" in namespace "${namespace}".${didYouMean(
          name,
          here.map(({ metadata }) => metadata.name),
        )}`,
        evidence: [{ subject, line: `subjects: ServiceAccount ${namespace}/${name}` }],
        fix: 'Correct the name, or create the account.',
        commands: [`kubectl get serviceaccounts${inNamespace({ namespace })}`],
        confidence: 'certain',
      },
    ]
  })
}

export function certificates({ certificateEnds, nowMs }: Picture): readonly Found[] {
  return [...certificateEnds].flatMap(([key, endMs]): readonly Found[] => {
    const days = Math.floor((endMs - nowMs) / DAY_MS)
    if (days >= SOON_DAYS) return []
    const [namespace, name] = key.split('/') as [string, string]
    const subject: Subject = { kind: 'Secret', namespace, name }
    const isOver = endMs <= nowMs
    return [
      {
        id: isOver ? 'access/certificate-expired' : 'access/certificate-expires-soon',
        subject,
        symptom: isOver ? 'Whoever uses the certificate is refused.' : 'The certificate will be refused soon.',
        cause: isOver
          ? `It ended at ${new Date(endMs).toISOString()}.`
          : `It ends at ${new Date(endMs).toISOString()}, in ${days} days.`,
        evidence: [{ subject, line: `tls.crt: notAfter ${new Date(endMs).toISOString()}` }],
        fix: 'Renew it, and restart whoever reads it once.',
        commands: [describeCommand(subject)],
        confidence: 'certain',
      },
    ]
  })
}

export function signingRequests(picture: Picture): readonly Found[] {
  return picture.certificateSigningRequests.flatMap((request) => requestFinding(picture, request) ?? [])
}

function requestFinding({ nowMs }: Picture, request: CertificateSigningRequest): Found | undefined {
  const subject = refOf('CertificateSigningRequest', request)
  const conditions = request.status?.conditions ?? []
  const ageMs = nowMs - Date.parse(request.metadata.creationTimestamp ?? '')
  if (conditions.some(({ type }) => type === 'Failed' || type === 'Denied')) {
    const { type, reason = '', message = '' } = conditions.find((each) => each.type !== 'Approved')!
    return {
      id: 'access/certificate-refused',
      subject,
      symptom: 'The certificate that was asked for is not issued.',
      cause: `The request was ${type.toLowerCase()}: ${message === '' ? reason : message}`,
      evidence: [{ subject, line: `${type}: ${reason} ${message}`.trim() }],
      fix: 'Correct the request and ask again.',
      commands: [describeCommand(subject)],
      confidence: 'certain',
    }
  }
  if (conditions.length > 0 || !(ageMs > WAITING_MS)) return undefined
  return {
    id: 'access/certificate-not-approved',
    subject,
    symptom: 'The certificate that was asked for is not issued.',
    cause: `Nobody has approved the request of "${request.spec?.username ?? ''}" for signer "${request.spec?.signerName ?? ''}".`,
    evidence: [{ subject, line: 'status.conditions: (none)' }],
    fix: `If it should be: kubectl certificate approve ${subject.name}.`,
    commands: [describeCommand(subject)],
    confidence: 'certain',
  }
}
