// What a CertificateSigningRequest may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const certificateSigningRequestExamples: RefusedExamples = {
  kind: 'CertificateSigningRequest',
  valid: {
    metadata: { name: 'a' },
    spec: {
      request: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KeAotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K',
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  },
  create: [
    [{ 'spec.request': 'eA==' }, 'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST'],
    [{ 'spec.usages': [] }, 'spec.usages: Required value'],
    [
      { 'spec.expirationSeconds': 10 },
      'spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 600 seconds (10 minutes)',
    ],
  ],
  update: [],
}
