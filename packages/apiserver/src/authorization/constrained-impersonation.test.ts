// Acting as someone else within bounds: what each right allows, what it does not, and what the audit log keeps of it.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { UserInfo } from '../authentication/user-info.ts'
import { admin, startTestServer, type TestServer } from '../test-server.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const pods = '/api/v1/namespaces/default/pods'
const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

interface Rule {
  readonly verbs: readonly string[]
  readonly resources: readonly string[]
  readonly group?: string
  readonly names?: readonly string[]
}

void suite('acting as someone else within bounds', () => {
  let api: TestServer
  before(async () => {
    api = await startTestServer({ kubernetesVersion: '1.36.2' })
    await api.ask(`${rbac}/clusterrolebindings`, {
      body: {
        metadata: { name: 'targets' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [
          { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'carl' },
          { kind: 'ServiceAccount', namespace: 'default', name: 'robot' },
        ],
      },
    })
  })
  after(() => api[Symbol.asyncDispose]())

  /** Gives a user these rights in the whole cluster. */
  async function grant(name: string, rules: readonly Rule[]): Promise<UserInfo> {
    const body = rules.map(({ verbs, resources, group = 'authentication.k8s.io', names }) => ({
      verbs,
      apiGroups: [group],
      resources,
      ...(names === undefined ? {} : { resourceNames: names }),
    }))
    const made = await api.ask(`${rbac}/clusterroles`, { body: { metadata: { name }, rules: body } })
    assert.equal(made.status, 201, made.text)
    await api.ask(`${rbac}/clusterrolebindings`, {
      body: {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name }],
      },
    })
    return { name, groups: [] }
  }

  async function as(
    user: UserInfo,
    headers: Readonly<Record<string, string>>,
    path = pods,
    method = 'GET',
  ): Promise<readonly [number, unknown]> {
    const body = method === 'POST' ? { body: {} } : {}
    const { status, json } = await api.ask(path, { method, user, headers, ...body })
    return [status, (json['status'] as { userInfo?: unknown } | undefined)?.userInfo ?? json['message']]
  }

  const pod = (verb: string): Rule => ({ verbs: [verb], resources: ['pods'], group: '' })

  test('who may list pods as a person may do nothing else as him, and act as nobody else', async () => {
    const ann = await grant('ann', [
      pod('impersonate-on:user-info:list'),
      { verbs: ['impersonate:user-info'], resources: ['users'], names: ['carl', 'dora'] },
      { verbs: ['impersonate:user-info'], resources: ['groups'], names: ['devs'] },
    ])
    const carl = { 'impersonate-user': 'carl' }
    assert.equal((await as(ann, carl))[0], 200)
    const { user, impersonatedUser, authenticationMetadata } = api.audit.at(-1) as Record<
      string,
      Record<string, unknown>
    >
    assert.deepEqual(
      [user!['username'], impersonatedUser!['username'], authenticationMetadata],
      ['ann', 'carl', { impersonationConstraint: 'impersonate:user-info' }],
    )
    assert.equal((await as(ann, { ...carl, 'impersonate-group': 'devs' }))[0], 200)
    // What the person may not, nobody may as him.
    assert.match(String((await as(ann, { 'impersonate-user': 'dora' }))[1]), /User "dora" cannot list resource "pods"/)
    assert.deepEqual(await as(ann, carl, `${pods}/x`), [
      403,
      'pods "x" is forbidden: User "ann" cannot impersonate-on:user-info:get resource "pods" in API group "" in the namespace "default"',
    ])
    assert.deepEqual(await as(ann, { 'impersonate-user': 'eve' }), [
      403,
      'users.authentication.k8s.io "eve" is forbidden: User "ann" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    ])
    for (const [more, words] of [
      [{ 'impersonate-group': 'ops' }, /groups\.authentication\.k8s\.io "ops" is forbidden/],
      [{ 'impersonate-group': 'system:masters' }, /impersonating the system:masters group is not allowed$/],
      [{ 'impersonate-uid': '7' }, /uids\.authentication\.k8s\.io "7" is forbidden/],
      [{ 'impersonate-extra-team': 'red' }, /extra\.key: Invalid value: "team": must be a domain-prefixed path/],
      [{ 'impersonate-extra-a.b%2fteam': 'red' }, /userextras\.authentication\.k8s\.io "red" is forbidden/],
    ] as const) {
      const [status, message] = await as(ann, { ...carl, ...more })
      assert.equal(status, 403)
      assert.match(String(message), words)
    }
  })

  test('accounts and nodes take rights of their own, and get the groups that are theirs', async () => {
    const review: Rule = {
      verbs: ['impersonate-on:serviceaccount:create', 'impersonate-on:arbitrary-node:create'],
      resources: ['selfsubjectreviews'],
    }
    const max = await grant('max', [
      review,
      { verbs: ['impersonate:serviceaccount'], resources: ['serviceaccounts'], names: ['robot'] },
      { verbs: ['impersonate:arbitrary-node'], resources: ['nodes'], names: ['n1'] },
    ])
    const robot = 'system:serviceaccount:default:robot'
    assert.deepEqual(await as(max, { 'impersonate-user': robot }, whoAmI, 'POST'), [
      201,
      {
        username: robot,
        groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
      },
    ])
    assert.deepEqual(await as(max, { 'impersonate-user': 'system:node:n1' }, whoAmI, 'POST'), [
      201,
      { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
    ])
    assert.equal((await as(max, { 'impersonate-user': 'system:node:n2' }, whoAmI, 'POST'))[0], 403)
    assert.equal((await as(max, { 'impersonate-user': 'carl' }, whoAmI, 'POST'))[0], 403)
    const more = { 'impersonate-user': robot, 'impersonate-group': 'system:masters' }
    assert.equal((await as(max, more, whoAmI, 'POST'))[0], 403)
  })

  test('an agent acts as the node that its own pod runs on, and as no other', async () => {
    const agent = await grant('system:serviceaccount:kube-system:agent', [
      { verbs: ['impersonate-on:associated-node:create'], resources: ['selfsubjectreviews'] },
      { verbs: ['impersonate:associated-node'], resources: ['nodes'] },
    ])
    const on = (...nodes: readonly string[]): UserInfo => ({
      ...agent,
      extra: { 'authentication.kubernetes.io/node-name': nodes, 'authentication.kubernetes.io/pod-name': ['p'] },
    })
    const n1 = { 'impersonate-user': 'system:node:n1' }
    assert.equal((await as(on('n1'), n1, whoAmI, 'POST'))[0], 201)
    for (const other of [agent, on('n2'), on('n1', 'n2')])
      assert.equal((await as(other, n1, whoAmI, 'POST'))[0], 403, JSON.stringify(other.extra))
    assert.equal((await as(on('n1'), { ...n1, 'impersonate-group': 'system:nodes' }, whoAmI, 'POST'))[0], 403)
  })

  test('who acted as whom, by which mode, and who was refused is counted under upstream’s names', async () => {
    const dora = await grant('dora', [
      pod('impersonate-on:user-info:list'),
      { verbs: ['impersonate:user-info'], resources: ['users'], names: ['carl'] },
    ])
    const plain = await grant('plain', [{ verbs: ['impersonate'], resources: ['users'], group: '' }])
    const counts = async (): Promise<ReadonlyMap<string, number>> => {
      const { text } = await api.ask('/metrics')
      const lines = text.matchAll(/^apiserver_impersonation_(\w+(?:_total|_count)\{.*\}) (\d+)$/gm)
      return new Map(lines.map(([, key, value]) => [key!, Number(value)]))
    }
    const before = await counts()
    const carl = { 'impersonate-user': 'carl' }
    assert.equal((await as(dora, carl))[0], 200)
    assert.equal((await as(plain, carl))[0], 200)
    assert.equal((await as({ name: 'nobody', groups: [] }, carl))[0], 403)
    const added = [...(await counts())]
      .map(([key, count]) => [key, count - (before.get(key) ?? 0)] as const)
      .filter(([, count]) => count > 0)
    assert.deepEqual(Object.fromEntries(added.filter(([key]) => key.includes('_total'))), {
      'attempts_total{decision="allowed",mode="user-info"}': 1,
      'attempts_total{decision="allowed",mode="legacy"}': 1,
      'attempts_total{decision="denied",mode=""}': 1,
      'authorization_attempts_total{decision="allowed",mode="user-info"}': 2,
      'authorization_attempts_total{decision="denied",mode="user-info"}': 2,
      'authorization_attempts_total{decision="allowed",mode="legacy"}': 1,
      'authorization_attempts_total{decision="denied",mode="legacy"}': 1,
    })
    assert.equal(added.filter(([key]) => key.includes('_duration_seconds_count')).length, 7)
  })

  test('the plain right to impersonate holds as before, and a minor without the bounds knows no others', async () => {
    const old = await grant('old', [{ verbs: ['impersonate'], resources: ['users', 'groups'], group: '' }])
    const carl = { 'impersonate-user': 'carl' }
    assert.equal((await as(old, carl))[0], 200)
    assert.equal(api.audit.at(-1)!['authenticationMetadata'], undefined)
    assert.equal((await as(admin, { ...carl, 'impersonate-group': 'system:masters' }))[0], 200)
    assert.deepEqual(await as(old, { 'impersonate-group': 'devs' }), [
      400,
      'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"devs"}, Extra:map[string][]string(nil)} without impersonating a user name',
    ])
    await using before = await startTestServer({ kubernetesVersion: '1.35.7' })
    const refused = await before.ask(pods, { user: old, headers: carl })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [
        403,
        'users "carl" is forbidden: User "old" cannot impersonate resource "users" in API group "" at the cluster scope',
      ],
    )
  })
})
