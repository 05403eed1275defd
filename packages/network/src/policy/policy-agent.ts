// What the engine's agent may read. It runs within the node's own agent, where AKS runs a DaemonSet whose token a node
// could ask for just as well, so the right is bound to the nodes; and only in clusters that have an engine.

import type { ClusterRole, ClusterRoleBinding } from '@aksel/api/types/rbac-v1'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'

const names: Readonly<Record<NetworkPolicyEngine, string>> = {
  azure: 'azure-npm',
  calico: 'calico-node',
  cilium: 'cilium',
}

export function policyAgentObjects(engine: NetworkPolicyEngine): {
  readonly role: ClusterRole
  readonly binding: ClusterRoleBinding
} {
  const name = names[engine]
  const verbs = ['get', 'list', 'watch']
  const group = 'rbac.authorization.k8s.io'
  return {
    role: {
      metadata: { name },
      rules: [
        { apiGroups: [''], resources: ['pods', 'namespaces', 'nodes'], verbs },
        { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs },
      ],
    },
    binding: {
      metadata: { name },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name },
      subjects: [{ apiGroup: group, kind: 'Group', name: 'system:nodes' }],
    },
  }
}
