// What a ConfigMap may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { configKey } from './words.ts'

export const configMapExamples: RefusedExamples = {
  kind: 'ConfigMap',
  valid: { metadata: { name: 'a' }, data: { a: '1' } },
  create: [
    [{ data: { 'a b': '1' } }, `data[a b]: Invalid value: "a b": ${configKey}`],
    [{ binaryData: { a: 'YQ==' } }, 'data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    [
      {
        data: {
          a: 'x'.repeat(1_048_577),
        },
      },
      '[]: Too long: may not be more than 1048576 bytes',
    ],
  ],
  update: [
    [{ 'data.a': '2' }, 'data: Forbidden: field is immutable when `immutable` is set', { immutable: true }],
    [{ immutable: undefined }, 'immutable: Forbidden: field is immutable when `immutable` is set', { immutable: true }],
  ],
}
