// What a FlowSchema may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label, subdomain } from './words.ts'

const rule = {
  subjects: [{ kind: 'User', user: { name: 'ann' } }],
  resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['*'] }],
}
const at = 'spec.rules.0'
const bare = 'spec.rules.0.nonResourceRules'

export const flowSchemaExamples: RefusedExamples = {
  kind: 'FlowSchema',
  valid: {
    metadata: { name: 'a' },
    spec: {
      priorityLevelConfiguration: { name: 'workload-low' },
      distinguisherMethod: { type: 'ByUser' },
      rules: [rule],
    },
  },
  create: [
    [{ 'metadata.name': 'A' }, `metadata.name: Invalid value: "A": ${subdomain}`],
    [{ 'spec.matchingPrecedence': -1 }, 'spec.matchingPrecedence: Invalid value: -1: must be a positive value'],
    [
      { 'spec.matchingPrecedence': 10_001 },
      'spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000',
    ],
    [
      { 'spec.matchingPrecedence': 1 },
      "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
    ],
    [
      { 'spec.distinguisherMethod.type': 'ByChance' },
      'spec.distinguisherMethod.type: Unsupported value: {"type":"ByChance"}: supported values: "ByNamespace", "ByUser"',
    ],
    [
      { 'spec.priorityLevelConfiguration.name': '' },
      'spec.priorityLevelConfiguration.name: Required value: must reference a priority level',
    ],
    [
      { 'spec.priorityLevelConfiguration.name': 'A' },
      `spec.priorityLevelConfiguration.name: Invalid value: "A": ${subdomain}`,
    ],
    [{ [`${at}.subjects`]: [] }, 'spec.rules[0].subjects: Required value: subjects must contain at least one value'],
    [
      { [`${at}.resourceRules`]: [] },
      'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
    ],
    [
      { [`${at}.subjects.0.kind`]: 'Robot' },
      'spec.rules[0].subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
    ],
    [
      { [`${at}.subjects`]: [{ kind: 'Group' }] },
      "spec.rules[0].subjects[0].group: Required value: group is required when subject kind is 'Group'",
    ],
    [
      { [`${at}.subjects.0.group`]: { name: 'g' } },
      "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
    ],
    [{ [`${at}.subjects.0.user.name`]: '' }, 'spec.rules[0].subjects[0].user.name: Required value'],
    [
      { [`${at}.subjects`]: [{ kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: '' } }] },
      'spec.rules[0].subjects[0].serviceAccount.namespace: Required value: must specify namespace for service account',
    ],
    [
      { [`${at}.resourceRules.0.verbs`]: ['look'] },
      'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["look"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
    ],
    [
      { [`${at}.resourceRules.0.verbs`]: ['*', 'get'] },
      `spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if '*' is present, must not specify other verbs`,
    ],
    [
      { [`${at}.resourceRules.0.apiGroups`]: [] },
      'spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group',
    ],
    [
      { [`${at}.resourceRules.0.resources`]: ['*', 'pods'] },
      `spec.rules[0].resourceRules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources`,
    ],
    [
      { [`${at}.resourceRules.0.namespaces`]: [] },
      'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
    ],
    [
      { [`${at}.resourceRules.0.namespaces`]: ['A'] },
      `spec.rules[0].resourceRules[0].namespaces[0]: Invalid value: "A": each member of this list must be '*' or a DNS-1123 label; ${label}`,
    ],
    [
      { [bare]: [{ verbs: ['get'], nonResourceURLs: [] }] },
      'spec.rules[0].nonResourceRules[0].nonResourceURLs: Required value: nonResourceURLs must contain at least one value',
    ],
    [
      { [bare]: [{ verbs: ['get'], nonResourceURLs: ['healthz'] }] },
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "healthz": must start with slash',
    ],
    [
      { [bare]: [{ verbs: ['get'], nonResourceURLs: ['/a*b'] }] },
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*b": wildcard can only do suffix matching',
    ],
  ],
  update: [
    [
      { 'spec.matchingPrecedence': 20_000 },
      'spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000',
    ],
  ],
  status: [
    [
      {
        'status.conditions': [
          { type: 'Dangling', status: 'True' },
          { type: 'Dangling', status: 'False' },
        ],
      },
      'status.conditions[1].type: Duplicate value: "Dangling"',
    ],
    [{ 'status.conditions': [{ status: 'True' }] }, 'status.conditions[0].type: Required value: must not be empty'],
  ],
}
