// The bootstrap policy as objects: roles and bindings that are there from a cluster's first start.

import type { FeatureGates } from '@aksel/api/feature-gates'
import type { KubernetesObject } from '@aksel/api/resource'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '@aksel/api/types/rbac-v1'
import { clusterRoles } from './cluster-roles.ts'
import { controllerRoles } from './controller-roles.ts'
import { aggregationLabel, parseRule, type PolicyRole } from './policy-notation.ts'

const group = 'rbac.authorization.k8s.io'
const apiVersion = `${group}/v1`
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' }

function user(name: string): Subject {
  return { kind: 'User', apiGroup: group, name }
}

function groupOf(name: string): Subject {
  return { kind: 'Group', apiGroup: group, name }
}

function account(name: string): Subject {
  return { kind: 'ServiceAccount', name, namespace: 'kube-system' }
}

/** Whom the bootstrap tokens of machines make their bearers members of. */
const bootstrappers = 'system:bootstrappers:aksel:nodes'

/** Binding and role have the same name unless a third part names the role. */
const clusterBindings: readonly (readonly [binding: string, subjects: readonly Subject[], role?: string])[] = [
  ['cluster-admin', [groupOf('system:masters')]],
  ['system:monitoring', [groupOf('system:monitoring')]],
  ['system:discovery', [groupOf('system:authenticated')]],
  ['system:basic-user', [groupOf('system:authenticated')]],
  ['system:public-info-viewer', [groupOf('system:authenticated'), groupOf('system:unauthenticated')]],
  ['system:node-proxier', [user('system:kube-proxy')]],
  ['system:kube-controller-manager', [user('system:kube-controller-manager')]],
  ['system:kube-dns', [account('kube-dns')]],
  ['system:kube-scheduler', [user('system:kube-scheduler')]],
  ['system:volume-scheduler', [user('system:kube-scheduler')]],
  ['system:node', []],
  ['system:service-account-issuer-discovery', [groupOf('system:serviceaccounts')]],
  // The node agent is service proxy and name server of its node too: it reads services and endpoints as kube-proxy does.
  // The disk driver's controller runs in the server: it makes volumes as an external provisioner does.
  ['aksel:disk-provisioner', [account('csi-azuredisk-controller-sa')], 'aksel:disk-provisioner'],
  // As on AKS: it tells nodes what their machines are.
  ['cloud-node-manager', [account('cloud-node-manager')]],
  ['aks-remediator', [user('aks-remediator')]],
  ['kubelet-serving-approver', [user('kubelet-serving-approver')]],
  // A machine asks for its node's certificate by a token, a node for its next one by the last; nobody has to approve either.
  ['aksel:kubelet-bootstrap', [groupOf(bootstrappers)], 'system:node-bootstrapper'],
  [
    'aksel:node-autoapprove-bootstrap',
    [groupOf(bootstrappers)],
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
  ],
  [
    'aksel:node-autoapprove-certificate-rotation',
    [groupOf('system:nodes')],
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
  ],
  ['aksel:node-proxier', [groupOf('system:nodes')], 'system:node-proxier'],
]

interface NamespacedPolicy {
  readonly namespace: string
  readonly name: string
  readonly rules: readonly string[]
  /** Of the binding, where it is not the role's. */
  readonly binding?: string
  readonly subjects: readonly Subject[]
}

const eventRule = 'create,update,patch: core,events.k8s.io: events'
const lockRules = (name: string): readonly string[] => [
  'watch: core: configmaps',
  `get,update: core: configmaps [names ${name}]`,
  'get,watch,list,create,update: coordination.k8s.io: leases',
  'get,watch,list,create,update: coordination.k8s.io: leasecandidates',
]

const namespacedPolicies: readonly NamespacedPolicy[] = [
  {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication-reader',
    rules: ['read: core: configmaps [names extension-apiserver-authentication]'],
    binding: 'system::extension-apiserver-authentication-reader',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:bootstrap-signer',
    rules: ['read: core: secrets'],
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    rules: ['create,get,list,watch: core: configmaps'],
    subjects: [account('cloud-provider')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    rules: ['get,list,watch,delete: core: secrets', eventRule],
    subjects: [account('token-cleaner')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    rules: lockRules('kube-controller-manager'),
    subjects: [
      user('system:kube-controller-manager'),
      account('kube-controller-manager'),
      account('leader-election-controller'),
    ],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    rules: lockRules('kube-scheduler'),
    subjects: [user('system:kube-scheduler'), account('kube-scheduler')],
  },
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    rules: ['read: core: configmaps', 'update: core: configmaps [names cluster-info]', eventRule],
    subjects: [account('bootstrap-signer')],
  },
]

/** The rules that the node authorizer gives every node. */
export function nodeRules(gates: FeatureGates): readonly PolicyRule[] {
  return nodeRole(gates).rules.map(parseRule)
}

/** As upstream: some rules come with the features that need them. */
function nodeRole(gates: FeatureGates): PolicyRole {
  const role = clusterRoles[NODE_ROLE]!
  const more = [
    ...(gates('ClusterTrustBundle') ? ['read: certificates.k8s.io: clustertrustbundles'] : []),
    ...(gates('PodCertificateRequest') ? ['read+create: certificates.k8s.io: podcertificaterequests'] : []),
  ]
  return more.length === 0 ? role : { ...role, rules: [...role.rules, ...more] }
}

const NODE_ROLE = 'system:node'

export function rbacObjects(gates: FeatureGates): readonly KubernetesObject[] {
  const roles: KubernetesObject[] = Object.entries(clusterRoles).map(([name, role]) =>
    clusterRole(name, name === NODE_ROLE ? nodeRole(gates) : role),
  )
  const bindings: KubernetesObject[] = clusterBindings.map(([name, subjects, role]) =>
    clusterBinding(name, role ?? name, subjects),
  )
  for (const [name, role] of Object.entries(controllerRoles)) {
    const full = `system:controller:${name}`
    roles.push(clusterRole(full, role))
    bindings.push(clusterBinding(full, full, [account(name)]))
  }
  return [...roles, ...bindings, ...namespacedPolicies.flatMap(namespacedObjects)]
}

function clusterRole(name: string, role: PolicyRole): ClusterRole {
  const own = role.aggregatedTo === undefined ? {} : aggregationLabel(role.aggregatedTo)
  const metadata = { name, labels: { ...labels, ...own }, annotations }
  const base = { kind: 'ClusterRole', apiVersion, metadata } as const
  if (role.aggregates === undefined) return { ...base, rules: role.rules.map(parseRule) }
  const selector = { matchLabels: aggregationLabel(role.aggregates) }
  return { ...base, aggregationRule: { clusterRoleSelectors: [selector] }, rules: aggregatedRules(role.aggregates) }
}

/** What the aggregation comes to, nested aggregations included: shown in the object, as upstream's controller writes it. */
function aggregatedRules(target: string): PolicyRule[] {
  return Object.values(clusterRoles)
    .filter((role) => role.aggregatedTo === target)
    .flatMap((role) => (role.aggregates === undefined ? role.rules.map(parseRule) : aggregatedRules(role.aggregates)))
}

function clusterBinding(name: string, role: string, subjects: readonly Subject[]): ClusterRoleBinding {
  return {
    kind: 'ClusterRoleBinding',
    apiVersion,
    metadata: { name, labels, annotations },
    ...(subjects.length === 0 ? {} : { subjects }),
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
  }
}

function namespacedObjects(policy: NamespacedPolicy): readonly [Role, RoleBinding] {
  const { namespace, name } = policy
  const role: Role = {
    kind: 'Role',
    apiVersion,
    metadata: { name, namespace, labels, annotations },
    rules: policy.rules.map(parseRule),
  }
  const binding: RoleBinding = {
    kind: 'RoleBinding',
    apiVersion,
    metadata: { name: policy.binding ?? name, namespace, labels, annotations },
    subjects: policy.subjects,
    roleRef: { apiGroup: group, kind: 'Role', name },
  }
  return [role, binding]
}
