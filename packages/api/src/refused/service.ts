// What a Service may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { address, label1035 } from './words.ts'

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
      'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}',
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
  ],
  update: [],
}
