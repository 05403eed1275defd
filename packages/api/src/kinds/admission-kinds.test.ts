// Webhook configurations and admission policies: what they are given, and each rule with an example that breaks it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowHarness, withValues } from './row-harness.ts'

const rows = await rowHarness('1.36')

const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }

const webhookConfiguration = {
  metadata: { name: 'a' },
  webhooks: [
    {
      name: 'a.example.com',
      clientConfig: { service: { namespace: 'default', name: 'hook' } },
      rules: [rule],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ],
}

const policy = {
  metadata: { name: 'a' },
  spec: {
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression: 'object.spec.replicas <= 5' }],
  },
}

const mutatingPolicy = {
  metadata: { name: 'a' },
  spec: {
    reinvocationPolicy: 'Never',
    matchConstraints: { resourceRules: [rule] },
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
  },
}

const binding = { metadata: { name: 'a' }, spec: { policyName: 'a', validationActions: ['Deny'] } }

type Case = readonly [values: Readonly<Record<string, unknown>>, error: string]

function refused(kind: string, object: unknown, cases: readonly Case[]): void {
  assert.deepEqual(rows.create(kind, object).errors, [])
  const actual = cases.map(([values]) => [values, rows.create(kind, withValues(object, values)).errors.join(' | ')])
  assert.deepEqual(actual, cases)
}

test('webhook configurations get their defaults', () => {
  const webhook = (kind: string): unknown =>
    (rows.create(kind, webhookConfiguration).object as unknown as { webhooks: unknown[] }).webhooks[0]
  const expected = {
    name: 'a.example.com',
    clientConfig: { service: { namespace: 'default', name: 'hook', port: 443 } },
    rules: [{ ...rule, scope: '*' }],
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    sideEffects: 'None',
    timeoutSeconds: 10,
    admissionReviewVersions: ['v1'],
  }
  assert.deepEqual(webhook('ValidatingWebhookConfiguration'), expected)
  assert.deepEqual(webhook('MutatingWebhookConfiguration'), { ...expected, reinvocationPolicy: 'Never' })
})

test('webhook configurations that may not be are refused', () => {
  const at = 'webhooks.0'
  refused('MutatingWebhookConfiguration', webhookConfiguration, [
    [{ [`${at}.name`]: '' }, 'webhooks[0].name: Required value'],
    [
      { [`${at}.name`]: 'a.b' },
      'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
    ],
    [
      { [`${at}.sideEffects`]: 'Some' },
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ],
    [
      { [`${at}.sideEffects`]: undefined },
      'webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun',
    ],
    [
      { [`${at}.timeoutSeconds`]: 31 },
      'webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
    ],
    [
      { [`${at}.failurePolicy`]: 'Maybe' },
      'webhooks[0].failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
    ],
    [
      { [`${at}.matchPolicy`]: 'Maybe' },
      'webhooks[0].matchPolicy: Unsupported value: "Maybe": supported values: "Equivalent", "Exact"',
    ],
    [
      { [`${at}.reinvocationPolicy`]: 'Maybe' },
      'webhooks[0].reinvocationPolicy: Unsupported value: "Maybe": supported values: "IfNeeded", "Never"',
    ],
    [
      { [`${at}.admissionReviewVersions`]: [] },
      'webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1',
    ],
    [
      { [`${at}.admissionReviewVersions`]: ['v3'] },
      'webhooks[0].admissionReviewVersions: Invalid value: ["v3"]: must include at least one of v1, v1beta1',
    ],
    [
      { [`${at}.admissionReviewVersions`]: ['v1', 'v1'] },
      'webhooks[0].admissionReviewVersions[1]: Invalid value: "v1": duplicate version',
    ],
    [
      { [`${at}.clientConfig`]: {} },
      'webhooks[0].clientConfig: Required value: exactly one of url or service is required',
    ],
    [
      { [`${at}.clientConfig`]: { url: 'http://a/b' } },
      `webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
    ],
    [
      { [`${at}.clientConfig`]: { url: 'https://u@a/b?c#d' } },
      'webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL | webhooks[0].clientConfig.url: Invalid value: "d": fragments are not permitted in the URL | webhooks[0].clientConfig.url: Invalid value: "c": query parameters are not permitted in the URL',
    ],
    [
      { [`${at}.clientConfig.service.port`]: 0 },
      'webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
    ],
    [
      { [`${at}.clientConfig.service.name`]: '' },
      'webhooks[0].clientConfig.service.name: Required value: service name is required',
    ],
    [
      { [`${at}.clientConfig.service.path`]: 'a' },
      `webhooks[0].clientConfig.service.path: Invalid value: "a": must start with a '/' | webhooks[0].clientConfig.service.path: Invalid value: "a": segment[0] may not be empty`,
    ],
    [
      { [`${at}.rules.0.operations`]: ['*', 'CREATE'] },
      `webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if '*' is present, must not specify other operations`,
    ],
    [
      { [`${at}.rules.0.operations`]: ['READ'] },
      'webhooks[0].rules[0].operations[0]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    ],
    [{ [`${at}.rules.0.apiGroups`]: [] }, 'webhooks[0].rules[0].apiGroups: Required value'],
    [
      { [`${at}.rules.0.apiVersions`]: ['*', 'v1'] },
      `webhooks[0].rules[0].apiVersions: Invalid value: ["*","v1"]: if '*' is present, must not specify other API versions`,
    ],
    [
      { [`${at}.rules.0.resources`]: ['pods/*', 'pods/log'] },
      `webhooks[0].rules[0].resources[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
    ],
    [
      { [`${at}.rules.0.resources`]: ['*', 'pods'] },
      `webhooks[0].rules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`,
    ],
    [
      { [`${at}.rules.0.scope`]: 'Pod' },
      'webhooks[0].rules[0].scope: Unsupported value: "Pod": supported values: "*", "Cluster", "Namespaced"',
    ],
    [
      { [`${at}.matchConditions`]: [{ name: 'a b', expression: '' }] },
      `webhooks[0].matchConditions[0].expression: Required value | webhooks[0].matchConditions[0].name: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
    [
      { [`${at}.matchConditions`]: [{ name: 'a', expression: '1' }] },
      'webhooks[0].matchConditions[0].expression: Invalid value: "1": must evaluate to bool',
    ],
    [
      { [`${at}.matchConditions`]: [{ name: 'a', expression: 'params.x' }] },
      `webhooks[0].matchConditions[0].expression: Invalid value: "params.x": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x\n | ^`,
    ],
  ])
  const twice = {
    ...webhookConfiguration,
    webhooks: [webhookConfiguration.webhooks[0], webhookConfiguration.webhooks[0]],
  }
  assert.deepEqual(rows.create('ValidatingWebhookConfiguration', twice).errors, [
    'webhooks[1].name: Duplicate value: "a.example.com"',
  ])
})

test('validating policies that may not be are refused', () => {
  refused('ValidatingAdmissionPolicy', policy, [
    [{ 'spec.matchConstraints': undefined }, 'spec.matchConstraints: Required value'],
    [{ 'spec.matchConstraints.resourceRules': [] }, 'spec.matchConstraints.resourceRules: Required value'],
    [
      { 'spec.validations': [] },
      'spec.validations: Required value: validations or auditAnnotations must contain at least one item | spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
    ],
    [
      { 'spec.paramKind': { apiVersion: 'a/b/c', kind: 'K' } },
      'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    ],
    [{ 'spec.paramKind': { apiVersion: 'v1' } }, 'spec.paramKind.kind: Required value'],
    [
      { 'spec.validations.0.expression': ' ' },
      'spec.validations[0].expression: Required value: expression is not specified',
    ],
    [
      { 'spec.validations.0.expression': 'object.x' },
      'spec.validations[0].expression: Invalid value: "object.x": must evaluate to bool',
    ],
    [
      { 'spec.validations.0.message': 'a\nb' },
      'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
    ],
    [
      { 'spec.validations.0.message': ' ' },
      'spec.validations[0].message: Invalid value: " ": message must be non-empty if specified',
    ],
    [
      { 'spec.validations.0.messageExpression': '1' },
      'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string',
    ],
    [
      { 'spec.validations.0.messageExpression': 'authorizer.path("/a").check("get").reason()' },
      `spec.validations[0].messageExpression: Invalid value: "authorizer.path(\\"/a\\").check(\\"get\\").reason()": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')\n | authorizer.path("/a").check("get").reason()\n | ^`,
    ],
    [
      { 'spec.validations.0.reason': 'Gone' },
      'spec.validations[0].reason: Unsupported value: "Gone": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
    ],
    [
      { 'spec.variables': [{ name: 'in', expression: '1' }] },
      'spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier',
    ],
    [
      {
        'spec.variables': [
          { name: 'a', expression: 'variables.b' },
          { name: 'b', expression: '1' },
        ],
      },
      `spec.variables[0].expression: Invalid value: "variables.b": compilation failed: ERROR: <input>:1:10: undefined field 'b'\n | variables.b\n | .........^`,
    ],
    [
      { 'spec.auditAnnotations': [{ key: 'k', valueExpression: '1' }] },
      'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type]',
    ],
    [
      {
        'spec.auditAnnotations': [
          { key: 'k', valueExpression: '"a"' },
          { key: 'k', valueExpression: 'null' },
        ],
      },
      'spec.auditAnnotations[1].key: Duplicate value: "k"',
    ],
  ])
  const composed = withValues(policy, {
    'spec.variables': [
      { name: 'a', expression: 'object.spec.replicas' },
      { name: 'b', expression: 'variables.a > 3' },
    ],
    'spec.validations.0.expression': 'variables.b',
  })
  assert.deepEqual(rows.create('ValidatingAdmissionPolicy', composed).errors, [])
})

test('bindings that may not be are refused', () => {
  refused('ValidatingAdmissionPolicyBinding', binding, [
    [{ 'spec.policyName': '' }, 'spec.policyName: Required value'],
    [
      { 'spec.validationActions': [] },
      'spec.validationActions: Required value: at least one validation action is required',
    ],
    [
      { 'spec.validationActions': ['Deny', 'Warn'] },
      'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
    [
      { 'spec.validationActions': ['Log'] },
      'spec.validationActions[0]: Unsupported value: "Log": supported values: "Audit", "Deny", "Warn"',
    ],
    [{ 'spec.validationActions': ['Deny', 'Deny'] }, 'spec.validationActions[1]: Duplicate value: "Deny"'],
    [
      { 'spec.paramRef': { parameterNotFoundAction: 'Deny' } },
      'spec.paramRef: Required value: one of name or selector must be specified',
    ],
    [{ 'spec.paramRef': { name: 'a' } }, 'spec.paramRef.parameterNotFoundAction: Required value'],
    [
      { 'spec.paramRef': { name: 'a', selector: {}, parameterNotFoundAction: 'Deny' } },
      'spec.paramRef.name: Forbidden: name and selector are mutually exclusive | spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
    ],
  ])
})

test('mutating policies that may not be are refused', () => {
  const apply = 'spec.mutations.0.applyConfiguration'
  refused('MutatingAdmissionPolicy', mutatingPolicy, [
    [{ 'spec.mutations': [] }, 'spec.mutations: Required value: mutations must contain at least one item'],
    [{ 'spec.reinvocationPolicy': undefined }, 'spec.reinvocationPolicy: Required value'],
    [
      { 'spec.mutations.0.patchType': 'Merge' },
      'spec.mutations[0].patchType: Unsupported value: "Merge": supported values: "ApplyConfiguration", "JSONPatch"',
    ],
    [
      { [apply]: undefined },
      'spec.mutations[0].applyConfiguration: Required value: applyConfiguration must be specified when patchType is ApplyConfiguration',
    ],
    [
      { [`${apply}.expression`]: '{"a": 1}' },
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "{\\"a\\": 1}": must evaluate to Object',
    ],
    [
      { 'spec.mutations': [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove"}, 1]' } }] },
      `spec.mutations[0].jsonPatch.expression: Invalid value: "[JSONPatch{op: \\"remove\\"}, 1]": compilation failed: ERROR: <input>:1:27: expected type 'JSONPatch' but found 'int'\n | [JSONPatch{op: "remove"}, 1]\n | ..........................^`,
    ],
  ])
})

test('an update keeps what was allowed when it was stored', () => {
  const errors = rows.update('ValidatingAdmissionPolicy', policy, {
    change(object) {
      const spec = (object as unknown as { spec: Record<string, unknown> }).spec
      spec['failurePolicy'] = 'Never'
    },
  }).errors
  assert.deepEqual(errors, ['spec.failurePolicy: Unsupported value: "Never": supported values: "Fail", "Ignore"'])
})

test('policies are shown in tables as upstream shows them', () => {
  assert.deepEqual(rows.cells('ValidatingAdmissionPolicy', policy).slice(0, 3), ['a', 1, '<unset>'])
  const ref = withValues(binding, { 'spec.paramRef': { name: 'p', namespace: 'n', parameterNotFoundAction: 'Deny' } })
  assert.deepEqual(rows.cells('ValidatingAdmissionPolicyBinding', ref).slice(0, 3), ['a', 'a', 'n/p'])
  assert.deepEqual(rows.cells('MutatingWebhookConfiguration', webhookConfiguration).slice(0, 2), ['a', 1])
})
