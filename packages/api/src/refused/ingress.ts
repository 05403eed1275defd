// What a Ingress may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { address, subdomain } from './words.ts'

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
    [{ 'spec.defaultBackend': {} }, 'spec.defaultBackend: Required value: resource or service backend is required'],
    [
      { 'spec.defaultBackend': { service: { name: 'a' } } },
      'spec.defaultBackend: Required value: port name or number is required',
    ],
    [
      {
        'spec.defaultBackend': { service: { name: 'a', port: { name: 'a', number: 1 } } },
      },
      'spec.defaultBackend: Invalid value: "": cannot set both port name & port number',
    ],
    [
      {
        'spec.defaultBackend': { service: { name: 'a', port: { number: 1 } }, resource: { kind: 'A', name: 'b' } },
      },
      'spec.defaultBackend: Invalid value: "": cannot set both resource and service backends',
    ],
    [
      { 'spec.rules.0.http.paths.0.pathType': 'Regex' },
      'spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"',
    ],
    [{ 'spec.rules.0.host': 'A' }, `spec.rules[0].host: Invalid value: "A": ${subdomain}`],
    [{ 'spec.rules.0.http.paths': [] }, 'spec.rules[0].http.paths: Required value'],
    [
      {
        'spec.tls': [{ hosts: ['A'] }],
      },
      `spec.tls[0].hosts[0]: Invalid value: "A": ${subdomain}`,
    ],
    [{ 'spec.ingressClassName': 'A' }, `spec.ingressClassName: Invalid value: "A": ${subdomain}`],
    [
      { 'spec.ingressClassName': 'a', 'metadata.annotations': { 'kubernetes.io/ingress.class': 'a' } },
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": can not be set when the class field is also set',
    ],
    [
      { 'spec.rules.0.http.paths.0.path': '/a/..' },
      `spec.rules[0].http.paths[0].path: Invalid value: "/a/..": cannot end with '/..'`,
    ],
  ],
  update: [
    [
      { 'spec.rules.0.http.paths.0.path': 'a' },
      'spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path',
    ],
  ],
  status: [
    [
      { 'status.loadBalancer.ingress': [{ ip: 'x' }] },
      `status.loadBalancer.ingress[0].ip: Invalid value: "x": ${address}`,
    ],
    [
      { 'status.loadBalancer.ingress': [{ hostname: '1.2.3.4' }] },
      'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
  ],
}
