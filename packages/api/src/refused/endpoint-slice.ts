// What a EndpointSlice may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const endpointSliceExamples: RefusedExamples = {
  kind: 'EndpointSlice',
  valid: {
    metadata: { name: 'a' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.1'] }],
    ports: [{ name: 'web', port: 80 }],
  },
  create: [
    [
      { addressType: 'Any' },
      [
        'addressType: Unsupported value: "Any": supported values: "FQDN", "IPv4", "IPv6"',
        'endpoints[0].addresses[0]: Invalid value: "10.1.0.1": must be an Any address',
      ],
    ],
    [{ endpoints: [{ addresses: [] }] }, 'endpoints[0].addresses: Required value: must contain at least 1 address'],
    [
      {
        endpoints: [{ addresses: ['127.0.0.1'] }],
      },
      'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [{ 'ports.1': { name: 'web' } }, 'ports[1].name: Duplicate value: "web"'],
  ],
  update: [[{ addressType: 'FQDN' }, 'addressType: Invalid value: "FQDN": field is immutable']],
}
