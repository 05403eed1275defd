// What a Service may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { address, cidr, label, label1035, labelValue, namePart, subdomain } from './words.ts'

export const serviceExamples: RefusedExamples = {
  kind: 'Service',
  valid: {
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  },
  create: [
    [{ 'metadata.name': '1web' }, `metadata.name: Invalid value: "1web": ${label1035}`],
    [{ 'spec.ports': undefined }, 'spec.ports: Required value'],
    [
      { 'spec.ports.0.port': 0 },
      [
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      { 'spec.ports.0.protocol': 'HTTP' },
      'spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [{ 'spec.ports.1': { port: 81 } }, ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value']],
    [
      {
        'spec.ports': [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      },
      'spec.ports[1].name: Duplicate value: "a"',
    ],
    [
      {
        'spec.ports': [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
    [
      { 'spec.ports.0.nodePort': 30000 },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      { 'spec.type': 'Public' },
      'spec.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      { 'spec.type': 'LoadBalancer', 'spec.clusterIP': 'None' },
      `spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services`,
    ],
    [{ 'spec.type': 'ExternalName' }, 'spec.externalName: Required value'],
    [
      { 'spec.sessionAffinity': 'Cookie' },
      'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"',
    ],
    [
      { 'spec.externalTrafficPolicy': 'Local' },
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
    [
      { 'spec.loadBalancerSourceRanges': ['10.0.0.0/8'] },
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [{ 'spec.clusterIP': 'here' }, `spec.clusterIPs[0]: Invalid value: "here": ${address}`],
    [
      { 'spec.ipFamilyPolicy': 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      { 'spec.externalIPs': ['127.0.0.1'] },
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [
      { 'spec.type': 'ExternalName', 'spec.externalName': 'a b' },
      `spec.externalName: Invalid value: "a b": ${subdomain}`,
    ],
    [{ 'spec.selector': { a: 'b c' } }, `spec.selector: Invalid value: "b c": ${labelValue}`],
    [
      {
        'spec.sessionAffinity': 'ClientIP',
        'spec.sessionAffinityConfig': { clientIP: { timeoutSeconds: 90000 } },
      },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400',
    ],
    [
      { 'spec.ports.0': { port: 80, protocol: 'TCP', targetPort: 'a--b' } },
      'spec.ports[0].targetPort: Invalid value: "a--b": must not contain consecutive hyphens',
    ],
    [
      { 'spec.ports.0': { port: 80, protocol: 'TCP', appProtocol: 'a b' } },
      `spec.ports[0].appProtocol: Invalid value: "a b": ${namePart}`,
    ],
    [{ 'spec.ports.0': { port: 80, protocol: 'TCP', name: 'A' } }, `spec.ports[0].name: Invalid value: "A": ${label}`],
    [
      {
        'spec.type': 'NodePort',
        'spec.ports': [
          { name: 'a', port: 80, nodePort: 30000 },
          { name: 'b', port: 81, nodePort: 30000 },
        ],
      },
      'spec.ports[1].nodePort: Duplicate value: 30000',
    ],
    [
      { 'spec.type': 'LoadBalancer', 'spec.loadBalancerSourceRanges': ['x'] },
      `spec.LoadBalancerSourceRanges[0]: Invalid value: "x": ${cidr}`,
    ],
    [
      { 'spec.loadBalancerClass': 'a.b/c' },
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { 'spec.type': 'LoadBalancer', 'spec.loadBalancerClass': 'a b' },
      `spec.loadBalancerClass: Invalid value: "a b": ${namePart}`,
    ],
    [
      { 'spec.allocateLoadBalancerNodePorts': true },
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { 'spec.internalTrafficPolicy': 'Mine' },
      'spec.internalTrafficPolicy: Unsupported value: "Mine": supported values: "Cluster", "Local"',
    ],
    [
      { 'spec.type': 'NodePort', 'spec.externalTrafficPolicy': 'Mine' },
      'spec.externalTrafficPolicy: Unsupported value: "Mine": supported values: "Cluster", "Local"',
    ],
    [
      { 'spec.healthCheckNodePort': 30000 },
      "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
    [
      { 'spec.trafficDistribution': 'Fair' },
      'spec.trafficDistribution: Unsupported value: "Fair": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
    [
      { 'spec.ipFamilies': ['IPv5'] },
      'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
    ],
    [
      { 'spec.clusterIP': '10.0.0.1', 'spec.clusterIPs': ['10.0.0.2'] },
      'spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`',
    ],
  ],
  update: [
    [
      { 'spec.clusterIP': '10.0.0.8', 'spec.clusterIPs': ['10.0.0.8'] },
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.8"]: may not change once set',
      { 'spec.clusterIP': '10.0.0.7', 'spec.clusterIPs': ['10.0.0.7'] },
    ],
    [
      { 'spec.loadBalancerClass': 'a.b/d' },
      'spec.loadBalancerClass: Invalid value: "a.b/d": may not change once set',
      {
        'spec.type': 'LoadBalancer',
        'spec.loadBalancerClass': 'a.b/c',
        'spec.externalTrafficPolicy': 'Cluster',
      },
    ],
    [
      { 'spec.healthCheckNodePort': 30001 },
      'spec.healthCheckNodePort: Forbidden: field is immutable',
      {
        'spec.type': 'LoadBalancer',
        'spec.externalTrafficPolicy': 'Local',
        'spec.healthCheckNodePort': 30000,
      },
    ],
  ],
  status: [
    [
      { 'status.loadBalancer.ingress': [{ hostname: 'a' }] },
      'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"',
    ],
    [
      { 'status.loadBalancer.ingress': [{ ip: 'x' }] },
      `status.loadBalancer.ingress[0].ip: Invalid value: "x": ${address}`,
      { 'spec.type': 'LoadBalancer' },
    ],
    [
      { 'status.loadBalancer.ingress': [{ hostname: '1.2.3.4' }] },
      'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
      { 'spec.type': 'LoadBalancer' },
    ],
    [
      { 'status.loadBalancer.ingress': [{ ip: '1.2.3.4', ipMode: 'Mine' }] },
      'status.loadBalancer.ingress[0].ipMode: Unsupported value: "Mine": supported values: "Proxy", "VIP"',
      { 'spec.type': 'LoadBalancer' },
    ],
  ],
}
