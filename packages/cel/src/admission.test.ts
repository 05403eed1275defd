// The environment of admission: what policies see, and what mutations build.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admissionEnvironment, compileAdmission } from './admission.ts'
import { AuthorizerValue, ResourceCheck, type AuthorizationQuery } from './library/authorizer.ts'
import { applyConfigurationOf, applyConfigurationOutput, jsonPatchOf, jsonPatchOutput } from './library/json-patch.ts'
import { boolType, nullType, stringType, type CelType } from './types.ts'

const env = admissionEnvironment({
  hasParams: true,
  hasAuthorizer: true,
  variables: { big: boolType },
  hasPatches: true,
})

function outcome(expression: string, ...outputs: readonly CelType[]): string {
  return compileAdmission(expression, env, ...outputs).complaint ?? 'fine'
}

test('policies must give the type that their place asks for', () => {
  const rows: readonly (readonly [string, readonly CelType[], string])[] = [
    ['object.spec.replicas > 1 && variables.big', [boolType], 'fine'],
    ['object.spec.replicas', [boolType], 'must evaluate to bool'],
    ['1', [stringType, nullType], 'must evaluate to one of [string null_type]'],
    ['null', [stringType, nullType], 'fine'],
    ['request.userInfo.username == "a" && namespaceObject.metadata.labels["a"] == "b"', [boolType], 'fine'],
    [
      'request.foo',
      [boolType],
      "compilation failed: ERROR: <input>:1:8: undefined field 'foo'\n | request.foo\n | .......^",
    ],
    [
      'variables.small',
      [boolType],
      "compilation failed: ERROR: <input>:1:10: undefined field 'small'\n | variables.small\n | .........^",
    ],
    ['authorizer.requestResource.check("update").allowed()', [boolType], 'fine'],
    ['Object{spec: Object.spec{replicas: 3}}', [applyConfigurationOutput], 'fine'],
    ['[JSONPatch{op: "add", path: "/a", value: 1}]', [jsonPatchOutput], 'fine'],
    [
      '[JSONPatch{op: 1}]',
      [jsonPatchOutput],
      "compilation failed: ERROR: <input>:1:14: expected type of field 'op' is 'string' but provided type is 'int'\n | [JSONPatch{op: 1}]\n | .............^",
    ],
    ['{"spec": 1}', [applyConfigurationOutput], 'must evaluate to Object'],
  ]
  assert.deepEqual(
    rows.map(([expression, outputs]) => [expression, outcome(expression, ...outputs)]),
    rows.map(([expression, , expected]) => [expression, expected]),
  )
})

test('the authorizer is asked what the expression says, two checks at most', () => {
  const asked: AuthorizationQuery[] = []
  const authorizer = new AuthorizerValue((query) => {
    asked.push(query)
    return { isAllowed: query.verb === 'get', reason: 'because' }
  })
  const bindings = {
    authorizer,
    'authorizer.requestResource': new ResourceCheck(authorizer, {
      group: 'apps',
      resource: 'deployments',
      namespace: 'a',
      name: 'b',
    }),
  }
  const evaluate = (expression: string, output: CelType): unknown =>
    compileAdmission(expression, env, output).program!.evaluate(bindings).value
  const checks =
    'authorizer.group("").resource("pods").namespace("x").subresource("log").check("get").allowed() && !authorizer.requestResource.check("delete").allowed()'
  assert.equal(evaluate(checks, boolType), true)
  assert.equal(
    evaluate('authorizer.serviceAccount("ns", "sa").path("/healthz").check("get").reason()', stringType),
    'because',
  )
  assert.deepEqual(asked, [
    { serviceAccount: undefined, verb: 'get', group: '', resource: 'pods', namespace: 'x', subresource: 'log' },
    { serviceAccount: undefined, verb: 'delete', group: 'apps', resource: 'deployments', namespace: 'a', name: 'b' },
    { serviceAccount: { namespace: 'ns', name: 'sa' }, verb: 'get', path: '/healthz' },
  ])
  const three = ['a', 'b', 'c'].map((name) => `authorizer.path("/${name}").check("get").allowed()`).join(' && ')
  assert.throws(() => evaluate(three, boolType), /actual cost limit exceeded/)
})

test('apply configurations and JSON patches come out as JSON', () => {
  const evaluate = (expression: string, output: CelType): Parameters<typeof applyConfigurationOf>[0] =>
    compileAdmission(expression, env, output).program!.evaluate({ object: { a: { b: [1] } } }).value
  assert.deepEqual(
    applyConfigurationOf(
      evaluate(
        'Object{metadata: Object.metadata{labels: {"a": "b"}}, spec: Object.spec{containers: [Object.spec.containers{name: "x"}]}}',
        applyConfigurationOutput,
      ),
    ),
    { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'x' }] } },
  )
  assert.throws(
    () => applyConfigurationOf(evaluate('Object{spec: Object.status{}}', applyConfigurationOutput)),
    /unexpected type name "Object.status", expected "Object.spec"/,
  )
  assert.deepEqual(
    jsonPatchOf(
      evaluate(
        '[JSONPatch{op: "test", path: "/a", value: object.a}, JSONPatch{op: "add", path: "/m/" + jsonpatch.escapeKey("x/y~z"), value: Object.m{k: [1]}}]',
        jsonPatchOutput,
      ),
    ),
    [
      { op: 'test', path: '/a', value: { b: [1] } },
      { op: 'add', path: '/m/x~1y~0z', value: { k: [1] } },
    ],
  )
})
