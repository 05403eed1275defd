// What a CertificateSigningRequest may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue } from './words.ts'

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
    [{ 'spec.signerName': '' }, 'spec.signerName: Required value'],
    [
      { 'spec.signerName': 'mine' },
      'spec.signerName: Invalid value: "mine": must be a fully qualified domain and path of the form "example.com/signer-name"',
    ],
    [
      { 'spec.signerName': 'kubernetes.io/legacy-unknown' },
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
    [{ 'spec.usages': ['client auth', 'client auth'] }, 'spec.usages[1]: Duplicate value: "client auth"'],
    [
      { 'spec.usages': ['fun'] },
      'spec.usages[0]: Unsupported value: "fun": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"',
    ],
  ],
  update: [[{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`]],
  status: [
    [
      { 'status.conditions': [{ type: 'Approved', status: 'True' }] },
      'status.conditions: Forbidden: updates may not add or remove a condition of type "Approved" or "Denied"',
    ],
    [
      { 'status.certificate': 'eA==' },
      'status.certificate: Invalid value: "eA==": field is immutable',
      { 'status.certificate': 'eQ==' },
    ],
  ],
  through: {
    approval: [
      [
        { 'status.conditions': [{ type: 'Approved', status: 'False' }] },
        'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
      ],
      [
        {
          'status.conditions': [
            { type: 'Approved', status: 'True' },
            { type: 'Denied', status: 'True' },
          ],
        },
        'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
      ],
      [
        { 'status.conditions': [] },
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
        {
          'status.conditions': [
            {
              type: 'Approved',
              status: 'True',
              lastUpdateTime: '2026-01-01T00:00:00Z',
              lastTransitionTime: '2026-01-01T00:00:00Z',
            },
          ],
        },
      ],
    ],
  },
}
