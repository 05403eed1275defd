// What a Ingress may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const ingressExamples: RefusedExamples = {
  kind: 'Ingress',
  valid: {
    metadata: { name: 'a' },
    spec: {
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'web', port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    },
  },
  create: [
    [{ 'spec.rules': [] }, 'spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified'],
    [
      { 'spec.rules.0.http.paths.0.pathType': undefined },
      'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified',
    ],
    [
      { 'spec.rules.0.http.paths.0.path': 'a//b' },
      [
        'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
        `spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain '//'`,
      ],
    ],
    [
      { 'spec.rules.0.host': '10.0.0.1' },
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ],
  ],
  update: [],
}
