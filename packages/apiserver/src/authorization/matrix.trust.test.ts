// Twenty thousand decisions: every route of the catalog, with every verb, for ten kinds of callers, nodes among them, against an oracle that reads
// the roles through the API and shares no code with the authorizers. Paths that are written to confuse lead nowhere.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { catalogOf } from '@aksel/api/catalog'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '@aksel/api/types/rbac-v1'
import type { UserInfo } from '../authentication/user-info.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import { nodeCallers, nodeOracle, plantRelations, type NodeQuestion } from './matrix-nodes.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const PLANTED = 'planted-in-b'

const callers: Readonly<Record<string, UserInfo>> = {
  'a member of system:masters': { name: 'root', groups: ['system:masters', 'system:authenticated'] },
  'an administrator of the cluster': { name: 'boss', groups: ['system:authenticated'] },
  'an administrator of namespace a': { name: 'ann', groups: ['team-a', 'system:authenticated'] },
  'a viewer of everything': { name: 'vera', groups: ['viewers', 'system:authenticated'] },
  'one with a role of odd rules': { name: 'otto', groups: ['system:authenticated'] },
  'a service account': {
    name: 'system:serviceaccount:a:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
  },
  'nobody in particular': { name: 'system:anonymous', groups: ['system:unauthenticated'] },
  'the garbage collector': {
    name: 'system:serviceaccount:kube-system:generic-garbage-collector',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
  },
  ...nodeCallers,
}

const oddRules: readonly PolicyRule[] = [
  { verbs: ['get', 'delete'], apiGroups: [''], resources: ['secrets', 'configmaps'], resourceNames: ['x'] },
  { verbs: ['*'], apiGroups: ['apps'], resources: ['*/scale', 'deployments/status'] },
  { verbs: ['list'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['get'], nonResourceURLs: ['/metrics', '/debug/*'] },
]

/** What the roles say, read once. */
interface Roles {
  readonly clusterRoles: readonly ClusterRole[]
  readonly roles: readonly Role[]
  readonly clusterBindings: readonly ClusterRoleBinding[]
  readonly bindings: readonly RoleBinding[]
}

interface Question extends NodeQuestion {
  /** Of what is no resource. */
  readonly url?: string
}

/** Written from the documentation of RBAC, not from the authorizer. */
function oracle(roles: Roles, user: UserInfo, question: Question): boolean {
  if (user.groups.includes('system:masters')) return true
  const isMeant = (subject: { kind: string; name: string; namespace?: string }): boolean => {
    if (subject.kind === 'User') return subject.name === user.name
    if (subject.kind === 'Group') return user.groups.includes(subject.name)
    return user.name === `system:serviceaccount:${subject.namespace ?? ''}:${subject.name}`
  }
  const rulesOf = (ref: { kind: string; name: string }, namespace: string): readonly PolicyRule[] => {
    const found =
      ref.kind === 'ClusterRole'
        ? roles.clusterRoles.find(({ metadata }) => metadata.name === ref.name)
        : roles.roles.find(({ metadata }) => metadata.name === ref.name && metadata.namespace === namespace)
    return found?.rules ?? []
  }
  const global = roles.clusterBindings
    .filter(({ subjects = [] }) => subjects.some(isMeant))
    .flatMap(({ roleRef }) => rulesOf(roleRef, ''))
  const local =
    question.namespace === '' || question.url !== undefined
      ? []
      : roles.bindings
          .filter(({ metadata }) => metadata.namespace === question.namespace)
          .filter(({ subjects = [] }) => subjects.some(isMeant))
          .flatMap(({ roleRef, metadata }) => rulesOf(roleRef, metadata.namespace ?? ''))
  const byRole = [...global, ...local].some((rule) => grants(rule, question))
  if (!user.groups.includes('system:nodes') || question.url !== undefined) return byRole
  const ofNodes = rulesOf({ kind: 'ClusterRole', name: 'system:node' }, '').some((rule) => grants(rule, question))
  return byRole || (nodeOracle(user, question) ?? ofNodes)
}

function grants(rule: PolicyRule, { verb, group, resource, name, url }: Question): boolean {
  const names = (list: readonly string[] | undefined, one: string): boolean =>
    list !== undefined && (list.includes('*') || list.includes(one))
  if (!names(rule.verbs, verb)) return false
  if (url !== undefined) {
    return (rule.nonResourceURLs ?? []).some(
      (pattern) => pattern === url || (pattern.endsWith('*') && url.startsWith(pattern.slice(0, -1))),
    )
  }
  const slash = resource.indexOf('/')
  const anyOf = slash < 0 ? [] : [`*/${resource.slice(slash + 1)}`]
  const isResource = (rule.resources ?? []).some((one) => one === '*' || one === resource || anyOf.includes(one))
  const isNamed = (rule.resourceNames ?? []).length === 0 || (name !== '' && rule.resourceNames!.includes(name))
  return names(rule.apiGroups, group) && isResource && isNamed
}

interface Ask extends Question {
  readonly method: string
  readonly path: string
}

const methods: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
}
const collectionVerbs = new Set(['list', 'watch', 'create', 'deletecollection'])

/** Every route, in two namespaces and over all, with three names. */
async function questions(): Promise<readonly Ask[]> {
  const catalog = await catalogOf('1.35')
  const asks: Ask[] = []
  for (const row of catalog.rows) {
    const root = row.group === '' ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`
    const leases = row.plural === 'leases' ? ['kube-node-lease'] : []
    const places = row.namespaced ? ['a', 'b', ...leases, ''] : ['']
    for (const namespace of places) {
      const collection = `${root}${namespace === '' ? '' : `/namespaces/${namespace}`}/${row.plural}`
      const common = { group: row.group, namespace: row.plural === 'namespaces' && row.group === '' ? '' : namespace }
      for (const verb of Object.keys(methods)) {
        const method = methods[verb]!
        const query = verb === 'watch' ? '?watch=1&timeoutSeconds=1&resourceVersion=999999999' : '?dryRun=All&limit=1'
        if (collectionVerbs.has(verb)) {
          if (namespace === '' && row.namespaced && verb !== 'list' && verb !== 'watch') continue
          const ask = { ...common, verb, method, resource: row.plural }
          asks.push({ ...ask, name: '', path: `${collection}${query}` })
          if (verb === 'create') continue
          const selecting = `${collection}${query}&fieldSelector=`
          for (const ofNode of row.plural === 'pods' || row.plural === 'resourceslices' ? ['x', 'y'] : [])
            asks.push({ ...ask, name: '', ofNode, path: `${selecting}spec.nodeName%3D${ofNode}` })
          if (namespace === '' && row.namespaced) continue
          for (const name of ['x', 'y', 'z']) {
            const own = row.plural === 'namespaces' && row.group === '' ? name : common.namespace
            asks.push({ ...ask, name, namespace: own, path: `${selecting}metadata.name%3D${name}` })
          }
          continue
        }
        if (namespace === '' && row.namespaced) continue
        for (const name of ['x', 'y', 'z']) {
          const own = row.plural === 'namespaces' && row.group === '' ? name : common.namespace
          for (const sub of ['', ...Object.keys(row.subresources)]) {
            const resource = sub === '' ? row.plural : `${row.plural}/${sub}`
            const path = `${collection}/${name}${sub === '' ? '' : `/${sub}`}${query}`
            asks.push({ ...common, namespace: own, verb, method, resource, name, path })
          }
        }
      }
    }
  }
  for (const url of [
    '/healthz',
    '/livez/etcd',
    '/metrics',
    '/version',
    '/debug/pprof/',
    '/api',
    '/apis',
    '/openapi/v2',
    '/logs/',
    '/',
    '/livez',
    '/readyz',
    '/readyz/etcd',
    '/version/',
    '/openapi/v3',
    '/openapi',
    '/api/',
    '/apis/',
    '/debug',
    '/debug/api_priority_and_fairness/dump_requests',
    '/metrics/slis',
    '/healthz/ping',
    '/swagger.json',
    '/.well-known/openid-configuration',
    '/openid/v1/jwks',
    '/logs',
    '/ui',
    '/nonsense',
  ])
    asks.push({ verb: 'get', method: 'GET', group: '', resource: '', namespace: '', name: '', path: url, url })
  return asks
}

/** Which of many: spread evenly, so that a smaller run still asks of everything. */
function spread<T>(all: readonly T[], count: number): readonly T[] {
  if (all.length <= count) return all
  return Array.from({ length: count }, (_, at) => all[Math.floor((at * all.length) / count)]!)
}

void suite('twenty thousand decisions', () => {
  let server: TestServer
  let roles: Roles

  before(async () => {
    server = await startTestServer()
    for (const name of ['a', 'b']) await server.ask('/api/v1/namespaces', { body: { metadata: { name } } })
    for (const name of ['x', 'y', 'z'])
      await server.ask('/api/v1/namespaces/b/secrets', { body: { metadata: { name }, stringData: { PLANTED } } })
    const user = (name: string): unknown => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name })
    const group = (name: string): unknown => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name })
    const robot = { kind: 'ServiceAccount', name: 'robot', namespace: 'a' }
    const role = (kind: string, name: string): unknown => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name })
    const bodies: readonly (readonly [string, unknown])[] = [
      [`${rbac}/clusterroles`, { metadata: { name: 'odd' }, rules: oddRules }],
      [`${rbac}/namespaces/a/roles`, { metadata: { name: 'odd' }, rules: oddRules.slice(0, 3) }],
      [
        `${rbac}/clusterrolebindings`,
        { metadata: { name: 'boss' }, roleRef: role('ClusterRole', 'cluster-admin'), subjects: [user('boss')] },
      ],
      [
        `${rbac}/clusterrolebindings`,
        { metadata: { name: 'view' }, roleRef: role('ClusterRole', 'view'), subjects: [group('viewers')] },
      ],
      [
        `${rbac}/clusterrolebindings`,
        { metadata: { name: 'odd' }, roleRef: role('ClusterRole', 'odd'), subjects: [user('otto')] },
      ],
      [
        `${rbac}/namespaces/a/rolebindings`,
        { metadata: { name: 'ann' }, roleRef: role('ClusterRole', 'admin'), subjects: [group('team-a')] },
      ],
      [
        `${rbac}/namespaces/a/rolebindings`,
        { metadata: { name: 'robot' }, roleRef: role('Role', 'odd'), subjects: [robot] },
      ],
      [
        `${rbac}/namespaces/b/rolebindings`,
        { metadata: { name: 'lost' }, roleRef: role('Role', 'odd'), subjects: [robot] },
      ],
    ]
    for (const [path, body] of bodies) {
      const { status, text } = await server.ask(path, { body })
      assert.equal(status, 201, text)
    }
    await plantRelations(server)
    const all = async <T>(plural: string): Promise<readonly T[]> =>
      (await server.ask(`${rbac}/${plural}`)).json['items'] as readonly T[]
    roles = {
      clusterRoles: await all('clusterroles'),
      roles: await all('roles'),
      clusterBindings: await all('clusterrolebindings'),
      bindings: await all('rolebindings'),
    }
  })
  after(() => server[Symbol.asyncDispose]())

  /** What the server decided, as its audit log has it. */
  async function decided({ method, path }: Ask, user: UserInfo): Promise<boolean> {
    const at = server.audit.length
    const stop = new AbortController()
    const headers =
      method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : { 'content-type': 'application/json' }
    const body = method === 'GET' || method === 'DELETE' ? {} : { body: Buffer.from('[') }
    const answer = await server.server
      .transportFor(user)
      .send({ method, path, headers, ...body, signal: stop.signal })
      .catch(() => undefined)
    stop.abort()
    const events = server.audit.slice(at) as unknown as readonly {
      requestURI: string
      annotations?: Record<string, string>
    }[]
    const own = events.find(({ requestURI, annotations }) => requestURI === path && annotations !== undefined)
    const decision = own?.annotations?.['authorization.k8s.io/decision']
    assert.ok(decision === 'allow' || decision === 'forbid', `${method} ${path}: no decision, answer ${answer?.status}`)
    if (decision === 'forbid') assert.equal(answer?.status, 403, path)
    return decision === 'allow'
  }

  void test('agree with an oracle that reads the same roles', { timeout: 300_000 }, async () => {
    // What streams to nodes has no node here.
    const asks = (await questions()).filter(({ resource }) => !/\/(exec|attach|portforward|proxy|log)$/.test(resource))
    const total = 20_000
    const perCaller = Math.ceil(total / Object.keys(callers).length)
    const differences: string[] = []
    let count = 0
    let allowed = 0
    for (const [who, user] of Object.entries(callers)) {
      const isNode = nodeCallers[who] !== undefined
      // Of what leads to nodes they are asked everything.
      const first = isNode ? asks.filter((ask) => nodeOracle(user, ask) !== undefined) : []
      const rest = isNode ? asks.filter((ask) => nodeOracle(user, ask) === undefined) : asks
      for (const ask of [...first, ...spread(rest, Math.max(0, perCaller - first.length))]) {
        const [expected, found] = [oracle(roles, user, ask), await decided(ask, user)]
        count += 1
        if (found) allowed += 1
        if (expected !== found)
          differences.push(`${who}: ${ask.verb} ${ask.path}: ${String(found)}, not ${String(expected)}`)
      }
    }
    assert.deepEqual(differences, [])
    assert.ok(count >= total && allowed > count * 0.1 && allowed < count * 0.9, `${allowed} of ${count} allowed`)
  })

  void test('an oracle with a planted fault is found out', async () => {
    const blind: Roles = { ...roles, bindings: [] }
    const ask: Ask = {
      verb: 'get',
      method: 'GET',
      group: '',
      resource: 'pods',
      namespace: 'a',
      name: 'x',
      path: '/api/v1/namespaces/a/pods/x',
    }
    const user = callers['an administrator of namespace a']!
    assert.notEqual(oracle(blind, user, ask), await decided(ask, user))
  })

  void test('paths that are written to confuse show nothing that the caller may not see', async () => {
    const spellings = [
      '/api/v1/namespaces/b/secrets/x',
      '//api/v1/namespaces/b/secrets/x',
      '/api//v1/namespaces//b/secrets/x',
      '/api/v1/namespaces/a/../b/secrets/x',
      '/api/v1/namespaces/a/%2e%2e/b/secrets/x',
      '/api/v1/namespaces/a%2f..%2fb/secrets/x',
      '/api/v1/namespaces/a/secrets/..%2f..%2fb%2fsecrets%2fx',
      '/api/v1/namespaces/a/secrets/../../b/secrets/x',
      '/api/v1/namespaces/b/secrets/x/',
      '/api/v1/namespaces/b/secrets/x?fieldSelector=metadata.namespace=a',
      '/api/v1/namespaces/b/secrets/x#/api/v1/namespaces/a/secrets',
      '/api/v1/namespaces/b/secrets/x;a=b',
      '/api/v1/namespaces/b/secrets/x%00',
      '/api/v1/namespaces/b/secrets/%78',
      '/api/v1/namespaces/%62/secrets/x',
      '/api/v1/%6eamespaces/b/secrets/x',
      '/api/v1/namespaces/B/secrets/x',
      '/API/v1/namespaces/b/secrets/x',
      '/apis//v1/namespaces/b/secrets/x',
      '/apis/core/v1/namespaces/b/secrets/x',
      '/api/v1/watch/namespaces/b/secrets/x',
      '/api/v1/watch/namespaces/b/secrets',
      '/api/v1/secrets',
      '/api/v1/secrets?fieldSelector=metadata.namespace%3Da',
      '/api/v1/namespaces/b/secrets?fieldSelector=metadata.name%3Dx',
      '/api/v1/namespaces/b/secrets?fieldSelector=metadata.name%3Da,metadata.name%3Dx',
      '/api/v1/namespaces/a/secrets?namespace=b',
      '/api/v1/namespaces/a/secrets/x?name=x&namespace=b',
      'http://host/api/v1/namespaces/b/secrets/x',
      '\\api\\v1\\namespaces\\b\\secrets\\x',
    ]
    const planted = Buffer.from(PLANTED).toString('base64')
    const seen = async (user: UserInfo, path: string): Promise<boolean> => {
      const stop = new AbortController()
      const { body } = await server.server
        .transportFor(user)
        .send({ method: 'GET', path, headers: {}, signal: stop.signal })
      let text = ''
      try {
        for await (const piece of body) {
          text += Buffer.from(piece).toString()
          if (path.includes('watch')) stop.abort()
        }
      } catch {
        // The watch was ended.
      }
      return text.includes(planted)
    }
    const outsiders = [
      'an administrator of namespace a',
      'a viewer of everything',
      'a service account',
      'nobody in particular',
      'a node with pods',
    ]
    for (const who of outsiders)
      for (const path of spellings) assert.ok(!(await seen(callers[who]!, path)), `${who}: ${path}`)
    // The plain spelling does show it to whoever may see it: the test would notice.
    assert.ok(await seen(callers['an administrator of the cluster']!, spellings[0]!))
  })
})
