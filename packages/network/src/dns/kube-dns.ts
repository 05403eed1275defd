// The objects that people know cluster DNS by. What answers behind them is in each node's agent.

import type { ConfigMap, Service } from '@aksel/api/types/core-v1'

export interface KubeDnsObjects {
  readonly service: Service
  readonly configMaps: readonly ConfigMap[]
}

const NAMESPACE = 'kube-system'

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
    metadata: { name: 'kube-dns', namespace: NAMESPACE, labels },
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
      configMap('coredns-custom', { 'addonmanager.kubernetes.io/mode': 'EnsureExists', 'k8s-app': 'kube-dns' }),
    ],
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
    forward . /etc/resolv.conf
    loadbalance
}
`
}
