// What an IPAddress may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { immutable, subdomain } from './words.ts'

export const ipAddressExamples: RefusedExamples = {
  kind: 'IPAddress',
  valid: {
    metadata: { name: '10.0.0.7' },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
  },
  create: [
    [{ 'metadata.name': 'here' }, 'metadata.name: Invalid value: "here": ParseAddr("here"): unable to parse IP'],
    [
      { 'metadata.name': '2001:DB8::0' },
      'metadata.name: Invalid value: "2001:DB8::0": must be a canonical format IP address',
    ],
    [{ 'spec.parentRef': undefined }, 'spec.parentRef: Required value'],
    [{ 'spec.parentRef.resource': '' }, 'spec.parentRef.resource: Required value'],
    [{ 'spec.parentRef.name': '' }, 'spec.parentRef.name: Required value'],
    [{ 'spec.parentRef.name': 'a/b' }, 'spec.parentRef.name: Invalid value: "a/b": may not contain \'/\''],
    [{ 'spec.parentRef.group': 'A' }, `spec.parentRef.group: Invalid value: "A": ${subdomain}`],
  ],
  update: [
    [
      { 'spec.parentRef.name': 'other' },
      `spec.parentRef: Invalid value: {"resource":"services","namespace":"default","name":"other"}: ${immutable}`,
    ],
  ],
}
