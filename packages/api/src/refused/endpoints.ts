// What a Endpoints may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { address, label } from './words.ts'

export const endpointsExamples: RefusedExamples = {
  kind: 'Endpoints',
  valid: {
    metadata: { name: 'a' },
    subsets: [{ addresses: [{ ip: '10.1.0.1' }], ports: [{ port: 80 }] }],
  },
  create: [
    [{ 'subsets.0.addresses.0.ip': 'x' }, `subsets[0].addresses[0].ip: Invalid value: "x": ${address}`],
    [
      {
        subsets: [{ ports: [{ port: 80 }] }],
      },
      'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
    ],
    [
      { 'subsets.0.addresses.0.ip': '127.0.0.1' },
      'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [{ 'subsets.0.addresses.0.hostname': 'A' }, `subsets[0].addresses[0].hostname: Invalid value: "A": ${label}`],
    [
      { 'subsets.0.ports': [{ port: 80 }, { port: 81 }] },
      ['subsets[0].ports[0].name: Required value', 'subsets[0].ports[1].name: Required value'],
    ],
    [
      { 'subsets.0.ports.0.protocol': 'HTTP' },
      'subsets[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      { 'subsets.0.ports.0.port': 0 },
      'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
  ],
  update: [
    [
      { 'subsets.0.addresses.0.ip': '0.0.0.0' },
      'subsets[0].addresses[0].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0 or ::)',
    ],
  ],
}
