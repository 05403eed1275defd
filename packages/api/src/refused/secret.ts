// What a Secret may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const secretExamples: RefusedExamples = {
  kind: 'Secret',
  valid: { metadata: { name: 'a' }, data: { a: 'YQ==' } },
  create: [
    [{ type: 'kubernetes.io/tls' }, ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    [
      { type: 'kubernetes.io/service-account-token' },
      'metadata.annotations[kubernetes.io/service-account.name]: Required value',
    ],
    [
      { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } },
      'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character',
    ],
  ],
  update: [
    [{ 'data.a': 'Yg==' }, 'data: Forbidden: field is immutable when `immutable` is set', { immutable: true }],
    [{ type: 'other' }, 'type: Invalid value: "other": field is immutable'],
  ],
}
