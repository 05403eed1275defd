// The objects that people know cluster DNS by. What answers behind them is in each node's agent.

import type { ConfigMap, Service } from '@aksel/api/types/core-v1'
import type { Role, RoleBinding } from '@aksel/api/types/rbac-v1'

export interface KubeDnsObjects {
  readonly service: Service
  readonly configMaps: readonly ConfigMap[]
  /** What answers on the nodes may read the user's own part. */
  readonly role: Role
  readonly binding: RoleBinding
}

const NAMESPACE = 'kube-system'
const CUSTOM = 'coredns-custom'

/** For the cluster's bootstrap. `address` is the cluster's DNS service IP, `10.0.0.10`. */
export function kubeDnsObjects(options: { readonly address: string; readonly clusterDomain: string }): KubeDnsObjects {
  const labels = {
    'addonmanager.kubernetes.io/mode': 'Reconcile',
    'k8s-app': 'kube-dns',
    'kubernetes.io/cluster-service': 'true',
    'kubernetes.io/name': 'CoreDNS',
  }
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: NAMESPACE, labels, annotations: { 'aksel.dev/served-by': 'nodes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: options.address,
      clusterIPs: [options.address],
      selector: { 'k8s-app': 'kube-dns' },
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ],
    },
  }
  return {
    service,
    configMaps: [
      configMap('coredns', { ...labels }, { Corefile: corefile(options.clusterDomain) }),
      configMap(CUSTOM, { 'addonmanager.kubernetes.io/mode': 'EnsureExists', 'k8s-app': 'kube-dns' }),
    ],
    role: {
      metadata: { name: 'coredns', namespace: NAMESPACE },
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [CUSTOM], verbs: ['get', 'list', 'watch'] }],
    },
    binding: {
      metadata: { name: 'coredns', namespace: NAMESPACE },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'coredns' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
    },
  }
}

function configMap(
  name: string,
  labels: Readonly<Record<string, string>>,
  data?: Readonly<Record<string, string>>,
): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: NAMESPACE, labels },
    ...(data === undefined ? {} : { data }),
  }
}

/** Shows what the nodes do, in the words that CoreDNS has for it. */
function corefile(clusterDomain: string): string {
  return `.:53 {
    errors
    ready
    kubernetes ${clusterDomain} in-addr.arpa {
        pods insecure
        fallthrough in-addr.arpa
        ttl 30
    }
    autopath @kubernetes
    cache 30 {
        disable success ${clusterDomain}
        disable denial ${clusterDomain}
    }
    forward . /etc/resolv.conf {
        policy sequential
        max_concurrent 1000
    }
    loadbalance
    import custom/*.override
}
import custom/*.server
`
}
