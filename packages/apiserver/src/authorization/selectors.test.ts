// Reviews that say what a list is narrowed down to.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer, type Asked } from '../test-server.ts'

test('what a node may list depends on the selectors of a review, which are read and judged as upstream does', async () => {
  await using server = await startTestServer()
  const review = async (fieldSelector: unknown): Promise<Asked> => {
    const resourceAttributes = { verb: 'list', resource: 'pods', fieldSelector }
    const spec = { user: 'system:node:n1', groups: ['system:nodes'], resourceAttributes }
    return server.ask('/apis/authorization.k8s.io/v1/subjectaccessreviews', { body: { spec } })
  }
  const isAllowed = async (fieldSelector: unknown): Promise<unknown> => {
    const { json, text } = await review(fieldSelector)
    assert.ok('status' in json && typeof json['status'] === 'object', text)
    return (json['status'] as { readonly allowed: boolean }).allowed
  }
  const is = (operator: string, ...values: readonly string[]): unknown => ({
    requirements: [{ key: 'spec.nodeName', operator, values }],
  })
  assert.equal(await isAllowed(is('In', 'n1')), true)
  assert.equal(await isAllowed({ rawSelector: 'spec.nodeName=n1' }), true)
  for (const other of [
    undefined,
    is('In', 'n2'),
    is('In', 'n1', 'n2'),
    is('NotIn', 'n1'),
    { rawSelector: 'metadata.name=n1' },
  ])
    assert.equal(await isAllowed(other), false, JSON.stringify(other))
  const unread = (await review({ rawSelector: 'nonsense' })).json['status'] as { readonly evaluationError?: string }
  assert.match(unread.evaluationError ?? '', /fieldSelector ignored due to parse error: invalid selector: 'nonsense'/)
  const rows: readonly (readonly [unknown, RegExp])[] = [
    [
      {},
      /spec\.resourceAttributes\.fieldSelector\.requirements: Required value: when spec\.resourceAttributes\.fieldSelector is specified/,
    ],
    [
      { rawSelector: 'a=b', ...(is('In', 'x') as object) },
      /rawSelector: Invalid value: "a=b": may not specified at the same time as requirements/,
    ],
    [is('In'), /requirements\[0\]\.values: Required value: must be specified when `operator` is 'In' or 'NotIn'/],
    [is('Exists', 'x'), /values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'/],
    [is('Like', 'x'), /operator: Unsupported value: "Like"/],
  ]
  for (const [selector, message] of rows) {
    const { status, json } = await review(selector)
    assert.equal(status, 422)
    assert.match(String(json['message']), message)
  }
})
