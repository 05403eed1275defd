// Admission policies through the whole server: what they refuse, warn of, note and change, in upstream's words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMap, configMapsPath, deployment, deployments, group, make, policy, server } from './test-policies.ts'

test('a policy refuses latest tags, by reason and message of the validation that fails', async () => {
  await using api = await server()
  await policy(api, 'no-latest', {
    spec: {
      matchConstraints: { resourceRules: [deployments] },
      variables: [
        { name: 'images', expression: 'object.spec.template.spec.containers.map(c, c.image)' },
        { name: 'bad', expression: 'variables.images.filter(i, i.endsWith(":latest") || !i.contains(":"))' },
      ],
      validations: [
        {
          expression: 'size(variables.bad) == 0',
          messageExpression: '"no latest tags: " + variables.bad.join(", ")',
          reason: 'Forbidden',
        },
        { expression: 'object.spec.replicas <= 5', message: 'too many replicas' },
      ],
    },
  })
  const path = '/apis/apps/v1/namespaces/web/deployments'
  const refused = await api.ask(path, { body: deployment('a', 'nginx:latest') })
  const text =
    "ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest-binding' denied request: no latest tags: nginx:latest"
  assert.deepEqual(refused.json, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `deployments.apps "a" is forbidden: ${text}`,
    reason: 'Forbidden',
    details: { name: 'a', group: 'apps', kind: 'deployments', causes: [{ message: text }] },
    code: 403,
  })
  const many = await api.ask(path, { body: deployment('a', 'nginx:1', 6) })
  assert.deepEqual(
    [many.status, many.json['reason'], many.json['message']],
    [
      422,
      'Invalid',
      `deployments.apps "a" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest-binding' denied request: too many replicas`,
    ],
  )
  assert.equal((await api.ask(path, { body: deployment('a', 'nginx:1') })).status, 201)
  const updated = await api.ask(`${path}/a`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { replicas: 9 } },
  })
  assert.equal(updated.status, 422)
})

test('without a message the expression is shown', async () => {
  await using api = await server()
  await policy(api, 'p', { spec: { validations: [{ expression: ' object.metadata.name == "x" ' }] } })
  const { json } = await configMap(api, 'a')
  assert.equal(
    json['message'],
    `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-binding' denied request: failed expression: object.metadata.name == "x"`,
  )
})

test('bindings warn, note in the audit log, or refuse; annotations are published either way', async () => {
  await using api = await server()
  await policy(api, 'p', {
    spec: {
      validations: [{ expression: 'has(object.data) && "owner" in object.data', message: 'say who owns it' }],
      auditAnnotations: [{ key: 'names', valueExpression: '"made " + object.metadata.name' }],
    },
    binding: { validationActions: ['Warn', 'Audit'] },
  })
  const { status, headers } = await configMap(api, 'a')
  assert.equal(status, 201)
  assert.equal(
    headers['warning'],
    `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-binding': say who owns it"`,
  )
  const annotations = api.audit.at(-1)!['annotations'] as Record<string, string>
  assert.equal(annotations['p/names'], 'made a')
  assert.deepEqual(JSON.parse(annotations['validation.policy.admission.k8s.io/validation_failure']!), [
    {
      message: 'say who owns it',
      policy: 'p',
      binding: 'p-binding',
      expressionIndex: 0,
      validationActions: ['Warn', 'Audit'],
    },
  ])
})

test('parameters come from the namespace of the request, by name or by labels; missing ones decide as the binding says', async () => {
  await using api = await server()
  await make(api, '/api/v1/namespaces/web/secrets', {
    metadata: { name: 'limits', labels: { use: 'limits' } },
    stringData: { max: '2' },
  })
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'Secret' },
    validations: [{ expression: 'size(object.data) <= (params.data.max == "Mg==" ? 2 : 0)' }],
  }
  await policy(api, 'p', { spec, binding: { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } } })
  assert.equal((await configMap(api, 'a', { a: '1', b: '2' })).status, 201)
  assert.equal((await configMap(api, 'b', { a: '1', b: '2', c: '3' })).status, 422)
  await api.ask('/api/v1/namespaces/web/secrets/limits', { method: 'DELETE' })
  const { json } = await configMap(api, 'c', {})
  assert.equal(
    json['message'],
    `configmaps "c" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-binding' denied request: failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
  )
  const binding = `${group}/validatingadmissionpolicybindings/p-binding`
  const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } }
  const paramRef = { name: null, selector: { matchLabels: { use: 'limits' } }, parameterNotFoundAction: 'Allow' }
  assert.equal((await api.ask(binding, { ...merge, body: { spec: { paramRef } } })).status, 200)
  assert.equal((await configMap(api, 'd', {})).status, 201)
  await make(api, '/api/v1/namespaces/web/secrets', {
    metadata: { name: 'other', labels: { use: 'limits' } },
    stringData: { max: '0' },
  })
  assert.equal((await configMap(api, 'e', { a: '1' })).status, 422)
})

test('errors refuse where the policy fails closed, and mean nothing where it does not', async () => {
  await using api = await server()
  const validations = [{ expression: 'object.data["missing"] == "x"' }]
  await policy(api, 'closed', { spec: { validations } })
  const { json } = await configMap(api, 'a', { b: '1' })
  assert.equal(
    json['message'],
    `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'closed' with binding 'closed-binding' denied request: expression 'object.data["missing"] == "x"' resulted in error: no such key: missing`,
  )
  await api.ask(`${group}/validatingadmissionpolicies/closed`, { method: 'DELETE' })
  await policy(api, 'open', { spec: { validations, failurePolicy: 'Ignore' } })
  assert.equal((await configMap(api, 'a', { b: '1' })).status, 201)
})

test('expressions see the request, the namespace, the old object, and ask the authorizer', async () => {
  await using api = await server()
  await policy(api, 'p', {
    spec: {
      matchConditions: [{ name: 'writes', expression: 'request.operation in ["CREATE", "UPDATE"]' }],
      validations: [
        { expression: 'request.userInfo.username != "masterclient" || namespaceObject.metadata.labels.env == "prod"' },
        { expression: 'oldObject == null || object.data.size() >= oldObject.data.size()', message: 'only grows' },
        {
          expression: 'authorizer.group("").resource("configmaps").namespace("web").check("break").allowed()',
          message: 'may not break',
        },
      ],
    },
  })
  assert.equal((await configMap(api, 'a', { a: '1', b: '2' })).status, 201)
  const put = await api.ask(`${configMapsPath}/a`, {
    method: 'PUT',
    body: { metadata: { name: 'a' }, data: { a: '1' } },
  })
  assert.match(put.text, /denied request: only grows/)
  await make(api, '/apis/rbac.authorization.k8s.io/v1/namespaces/web/roles', {
    metadata: { name: 'r' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }],
  })
  await make(api, '/apis/rbac.authorization.k8s.io/v1/namespaces/web/rolebindings', {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
  })
  const ann = { name: 'ann', groups: ['system:authenticated'] }
  const asked = await api.ask(configMapsPath, { user: ann, body: { metadata: { name: 'b' }, data: {} } })
  assert.match(asked.text, /denied request: may not break/)
  assert.equal((await api.ask(`${configMapsPath}/a`, { method: 'DELETE' })).status, 200)
})

test('a validation that goes too far fails', async () => {
  await using api = await server()
  const data = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`key-${index}`, 'x'.repeat(50)]))
  await policy(api, 'p', {
    spec: {
      validations: [{ expression: 'object.data.all(a, object.data.all(b, object.data.all(c, a + b + c != "")))' }],
    },
  })
  const { text } = await configMap(api, 'a', data)
  assert.match(text, /resulted in error: operation cancelled: actual cost limit exceeded/)
})

test('validations of one policy share a budget: once it is gone, none is asked any more', async () => {
  await using api = await server()
  // Nine hundred thousand units each, of the ten million that a policy has for a request.
  const data = { a: 'x'.repeat(10_000), b: `${'x'.repeat(8_999)}y` }
  const dear = { expression: '!object.data.a.contains(object.data.b)' }
  const never = { expression: 'false', message: 'not asked any more' }
  await policy(api, 'within', { spec: { validations: Array.from({ length: 10 }, () => dear) } })
  assert.equal((await configMap(api, 'a', data)).status, 201)
  await policy(api, 'beyond', { spec: { validations: [...Array.from({ length: 12 }, () => dear), never] } })
  const refused = await configMap(api, 'b', data)
  assert.equal(refused.status, 422)
  assert.match(
    String(refused.json['message']),
    /'beyond-binding' denied request: validation failed due to running out of cost budget, no further validation rules will be run$/,
  )
  assert.match(
    (await api.ask('/metrics')).text,
    /check_total\{enforcement_action="deny",error_type="out_of_budget",policy="beyond",policy_binding="beyond-binding"\} 1/,
  )
})

test('the decisions of policies are counted by what came of them', async () => {
  await using api = await server()
  const validations = [{ expression: 'object.metadata.name != "bad"' }]
  await policy(api, 'names', { spec: { validations }, binding: { validationActions: ['Deny', 'Audit'] } })
  await configMap(api, 'good')
  await configMap(api, 'bad')
  const lines = (await api.ask('/metrics')).text.split('\n')
  for (const action of ['allow', 'deny', 'audit']) {
    const line = `apiserver_validating_admission_policy_check_total{enforcement_action="${action}",error_type="no_error",policy="names",policy_binding="names-binding"} 1`
    assert.ok(lines.includes(line), line)
  }
})

test('the status of a policy tells what its expressions get wrong about the kinds that it names', async () => {
  await using api = await server()
  const constraints = { matchConstraints: { resourceRules: [deployments] } }
  const validations = [
    { expression: 'object.spec.replicas > 1' },
    { expression: 'object.spec.relicas > 1', messageExpression: '"has " + object.metadata.nme' },
    { expression: 'object.metadata.name == variables.one' },
  ]
  const variables = [{ name: 'one', expression: '1' }]
  await policy(api, 'typed', { spec: { ...constraints, variables, validations } })
  const path = `${group}/validatingadmissionpolicies/typed`
  const settled = async (generation: number): Promise<Record<string, never>> => {
    const type = { ...policyType, plural: 'validatingadmissionpolicies' }
    const signal = AbortSignal.timeout(10_000)
    for await (const { object } of api
      .client()
      .watch(type, { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', signal })) {
      const { metadata, status } = object as unknown as { metadata: { name?: string }; status?: Record<string, never> }
      if (metadata.name === 'typed' && status?.['observedGeneration'] === generation) return status
    }
    throw new Error('the watch ended')
  }
  const { typeChecking } = await settled(1)
  assert.deepEqual(typeChecking, {
    expressionWarnings: [
      {
        fieldRef: 'spec.validations[1].expression',
        warning:
          "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'relicas'\n | object.spec.relicas > 1\n | ...........^\n",
      },
      {
        fieldRef: 'spec.validations[1].messageExpression',
        warning: `apps/v1, Kind=Deployment: ERROR: <input>:1:25: undefined field 'nme'\n | "has " + object.metadata.nme\n | ........................^\n`,
      },
      {
        fieldRef: 'spec.validations[2].expression',
        warning:
          "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(string, int)'\n | object.metadata.name == variables.one\n | .....................^\n",
      },
    ],
  })
  const patched = await api.ask(path, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { validations: [{ expression: 'object.spec.replicas > 1' }] } },
  })
  assert.equal(patched.status, 200, patched.text)
  assert.deepEqual((await settled(2))['typeChecking'], {})
})

const policyType = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  namespaced: false,
} as const
