// What an APIService may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const apiServiceExamples: RefusedExamples = {
  kind: 'APIService',
  valid: {
    metadata: { name: 'v1.example.com' },
    spec: {
      group: 'example.com',
      version: 'v1',
      groupPriorityMinimum: 1000,
      versionPriority: 100,
      caBundle: 'Y2E=',
      service: { namespace: 'default', name: 'api', port: 443 },
    },
  },
  create: [
    [
      { 'metadata.name': 'v2.example.com' },
      'metadata.name: Invalid value: "v2.example.com": must be `spec.version+"."+spec.group`: "v1.example.com"',
    ],
    [
      { 'spec.groupPriorityMinimum': 0 },
      'spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000',
    ],
    [
      { 'spec.versionPriority': 1001 },
      'spec.versionPriority: Invalid value: 1001: must be positive and less than 1000',
    ],
    [{ 'spec.service.name': '' }, 'spec.service.name: Required value'],
    [{ 'spec.service.namespace': '' }, 'spec.service.namespace: Required value'],
    [
      { 'spec.service.port': -1 },
      'spec.service.port: Invalid value: -1: port is not valid: must be between 1 and 65535, inclusive',
    ],
    [
      { 'spec.insecureSkipTLSVerify': true },
      'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
    ],
    [
      { 'spec.service': undefined },
      'spec.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle',
    ],
    [
      { 'spec.service': undefined, 'spec.caBundle': undefined, 'spec.insecureSkipTLSVerify': true },
      'spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify',
    ],
  ],
  update: [
    [{ 'spec.versionPriority': 0 }, 'spec.versionPriority: Invalid value: 0: must be positive and less than 1000'],
  ],
  status: [
    [
      { 'status.conditions': [{ type: 'Available', status: 'Maybe' }] },
      'status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
    ],
  ],
}
