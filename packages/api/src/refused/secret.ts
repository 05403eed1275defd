// What a Secret may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { configKey } from './words.ts'

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
    [
      { type: 'kubernetes.io/basic-auth', data: {} },
      ['data[username]: Required value', 'data[password]: Required value'],
    ],
    [{ type: 'kubernetes.io/ssh-auth', data: {} }, 'data[ssh-privatekey]: Required value'],
    [{ data: { 'a b': 'YQ==' } }, `data[a b]: Invalid value: "a b": ${configKey}`],
  ],
  update: [
    [{ 'data.a': 'Yg==' }, 'data: Forbidden: field is immutable when `immutable` is set', { immutable: true }],
    [{ type: 'other' }, 'type: Invalid value: "other": field is immutable'],
  ],
}
