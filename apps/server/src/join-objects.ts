// What another host finds in a cluster that it is to join: the cluster's authority, signed by its bootstrap tokens, and how nodes are
// set up. As kubeadm lays it down, with our own ConfigMap in the place of kubelet-config.

import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '@aksel/api/types/rbac-v1'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import { bootstrappersGroup } from '@aksel/controllers/bootstrap-token/make-token'
import { joinSettingsName, type JoinSettings } from '@aksel/provider/join-settings'

const apiGroup = 'rbac.authorization.k8s.io'

export interface JoinFacts extends JoinSettings {
  /** `https://100.65.0.1:443` */
  readonly nodeUrl: string
  /** PEM */
  readonly authority: string
}

export interface JoinObjects {
  readonly configMaps: readonly ConfigMap[]
  readonly roles: readonly Role[]
  readonly roleBindings: readonly RoleBinding[]
  readonly clusterRole: ClusterRole
  readonly clusterRoleBinding: ClusterRoleBinding
}

export function joinObjects({ nodeUrl, authority, ...settings }: JoinFacts): JoinObjects {
  const bootstrappers = { kind: 'Group', apiGroup, name: bootstrappersGroup }
  const anonymous = { kind: 'User', apiGroup, name: 'system:anonymous' }
  const info = { namespace: 'kube-public', name: 'kubeadm:bootstrap-signer-clusterinfo' }
  const config = { namespace: 'kube-system', name: joinSettingsName }
  const getNodes = { name: 'kubeadm:get-nodes' }
  return {
    configMaps: [
      {
        metadata: { namespace: 'kube-public', name: 'cluster-info' },
        data: { kubeconfig: discoveryKubeconfig(nodeUrl, authority) },
      },
      { metadata: config, data: { settings: `${JSON.stringify(settings, undefined, 1)}\n` } },
    ],
    roles: [
      {
        metadata: info,
        rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['cluster-info'], verbs: ['get'] }],
      },
      {
        metadata: config,
        rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [config.name], verbs: ['get'] }],
      },
    ],
    roleBindings: [
      { metadata: info, roleRef: { kind: 'Role', apiGroup, name: info.name }, subjects: [anonymous] },
      { metadata: config, roleRef: { kind: 'Role', apiGroup, name: config.name }, subjects: [bootstrappers] },
    ],
    clusterRole: { metadata: getNodes, rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }] },
    clusterRoleBinding: {
      metadata: getNodes,
      roleRef: { kind: 'ClusterRole', apiGroup, name: getNodes.name },
      subjects: [bootstrappers],
    },
  }
}

/** Of nobody: where the cluster is, and whom to believe. */
function discoveryKubeconfig(server: string, authority: string): string {
  return [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${Buffer.from(authority).toString('base64')}`,
    `    server: ${server}`,
    '  name: ""',
    'contexts: null',
    'current-context: ""',
    'kind: Config',
    'preferences: {}',
    'users: null',
    '',
  ].join('\n')
}
