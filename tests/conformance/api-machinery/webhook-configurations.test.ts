// Webhook configurations as objects: what changes of them take effect on, lists of them, and their match conditions.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { refusalOf, type Loose } from './objects.ts'
import { configMaps, registration, unwanted, WebhookFixture, type Kind } from './webhook-fixture.ts'

const deadline = { timeout: 60_000 }

void suite('webhook configurations', () => {
  let fix: WebhookFixture

  before(async () => {
    fix = await WebhookFixture.start()
  })
  after(() => fix.stop())

  const named = (kind: Kind, name: string, more: object = {}): Loose =>
    ({ apiVersion: registration, kind: `${kind}WebhookConfiguration`, metadata: { name }, ...more }) as Loose

  async function patching(
    kind: Kind,
    path: string,
    isAffected: (namespace: string, name: string) => Promise<boolean>,
  ): Promise<void> {
    const { namespace, label } = await fix.labelled()
    const more = { namespaceSelector: { matchLabels: label } }
    await using _hooks = await fix.register(kind, 'changing', [fix.webhook(path, configMaps('CREATE'), more)])
    assert.equal(await isAffected(namespace, 'a'), true)
    // Told of updates alone, it lets a create pass.
    const current = await fix.objects.read(named(kind, 'changing'))
    const [webhook] = current['webhooks'] as { rules: { operations: string[] }[] }[]
    webhook!.rules[0]!.operations = ['UPDATE']
    await fix.objects.replace(current)
    assert.equal(await isAffected(namespace, 'b'), false)
    const operations = [{ op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] }]
    await fix.jsonPatch(`${kind.toLowerCase()}webhookconfigurations`, 'changing', operations)
    assert.equal(await isAffected(namespace, 'c'), true)
  }

  async function isRefused(namespace: string, name: string): Promise<boolean> {
    try {
      await fix.objects.create(fix.configMap(namespace, name, unwanted))
      return false
    } catch (error) {
      assert.match(String((error as { body?: unknown }).body), /the configmap contains unwanted key and value/)
      return true
    }
  }

  async function isMutated(namespace: string, name: string): Promise<boolean> {
    const { data } = await fix.objects.create(fix.configMap(namespace, name, { 'mutation-start': 'yes' }))
    return (data as Record<string, string>)['mutation-stage-1'] === 'yes'
  }

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a validating webhook should work [Conformance]',
    deadline,
    () => patching('Validating', '/configmaps', isRefused),
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a mutating webhook should work [Conformance]',
    deadline,
    () => patching('Mutating', '/mutating-configmaps', isMutated),
  )

  async function listing(
    kind: Kind,
    path: string,
    isAffected: (namespace: string, name: string) => Promise<boolean>,
  ): Promise<void> {
    const { namespace, label } = await fix.labelled()
    const more = { namespaceSelector: { matchLabels: label } }
    const labels = { 'e2e-list-test-uuid': namespace }
    for (let index = 0; index < 10; index += 1) {
      const webhooks = [fix.webhook(path, configMaps('CREATE'), more)]
      await fix.objects.create(fix.configuration(kind, `listed-${index}`, webhooks, labels))
    }
    const selector = `e2e-list-test-uuid=${namespace}`
    const listed = await fix.objects.list(registration, `${kind}WebhookConfiguration`, selector)
    assert.equal(listed.length, 10)
    assert.equal(await isAffected(namespace, 'a'), true)
    await fix.cluster.aksel.kubectl(['delete', `${kind.toLowerCase()}webhookconfigurations`, '-l', selector])
    assert.deepEqual(await fix.objects.list(registration, `${kind}WebhookConfiguration`, selector), [])
    assert.equal(await isAffected(namespace, 'b'), false)
  }

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing validating webhooks should work [Conformance]',
    deadline,
    () => listing('Validating', '/configmaps', isRefused),
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing mutating webhooks should work [Conformance]',
    deadline,
    () => listing('Mutating', '/mutating-configmaps', isMutated),
  )

  async function conditions(kind: Kind): Promise<void> {
    const { label } = await fix.labelled()
    const first = [{ name: 'expression-1', expression: "object.metadata.namespace == 'production'" }]
    const second = [{ name: 'expression-2', expression: "object.metadata.namespace == 'staging'" }]
    const more = { namespaceSelector: { matchLabels: label }, matchConditions: first }
    await using hooks = await fix.register(kind, 'conditional', [
      fix.webhook('/configmaps', configMaps('CREATE'), more),
    ])
    const conditionsOf = (object: Loose): unknown =>
      JSON.parse(JSON.stringify((object['webhooks'] as { matchConditions: unknown }[])[0]!.matchConditions))
    assert.deepEqual(conditionsOf(hooks.object), first)
    const current = await fix.objects.read(named(kind, 'conditional'))
    const [webhook] = current['webhooks'] as { matchConditions: unknown }[]
    webhook!.matchConditions = second
    assert.deepEqual(conditionsOf(await fix.objects.replace(current)), second)
    assert.deepEqual(conditionsOf(await fix.objects.read(named(kind, 'conditional'))), second)
  }

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update validating webhook configurations with match conditions [Conformance]',
    deadline,
    () => conditions('Validating'),
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update mutating webhook configurations with match conditions [Conformance]',
    deadline,
    () => conditions('Mutating'),
  )

  async function invalid(kind: Kind): Promise<void> {
    const matchConditions = [{ name: 'invalid-expression-1', expression: '... [] bad expression' }]
    const webhooks = [fix.webhook('/configmaps', configMaps('CREATE'), { matchConditions })]
    assert.match(await refusalOf(fix.objects.create(fix.configuration(kind, 'wrong', webhooks))), /compilation failed/)
  }

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject validating webhook configurations with invalid match conditions [Conformance]',
    deadline,
    () => invalid('Validating'),
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject mutating webhook configurations with invalid match conditions [Conformance]',
    deadline,
    () => invalid('Mutating'),
  )

  void test(
    "[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate everything except 'skip-me' configmaps [Conformance]",
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const matchConditions = [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }]
      const more = { namespaceSelector: { matchLabels: label }, matchConditions }
      await using _hooks = await fix.register('Mutating', 'skip-me', [
        fix.webhook('/mutating-configmaps', configMaps('CREATE'), more),
      ])
      const data = { 'mutation-start': 'yes' }
      assert.deepEqual((await fix.objects.create(fix.configMap(namespace, 'skip-me', data)))['data'], data)
      const mutated = await fix.objects.create(fix.configMap(namespace, 'mutate-me', data))
      assert.deepEqual(mutated['data'], { ...data, 'mutation-stage-1': 'yes' })
    },
  )
})
