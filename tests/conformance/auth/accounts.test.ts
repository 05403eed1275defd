// Service accounts and what their tokens prove, inside pods and for those who review them.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  RbacAuthorizationV1Api,
  type V1TokenReviewStatus,
} from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { Objects, type AnyObject } from '../objects.ts'
import { podsIn } from '../pods.ts'

const deadline = { timeout: 120_000 }
const tokenFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
const rootCa = 'kube-root-ca.crt'

void suite('service accounts', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const groupsOf = (namespace: string): readonly string[] => [
    'system:authenticated',
    'system:serviceaccounts',
    `system:serviceaccounts:${namespace}`,
  ]
  const review = async (token: string): Promise<V1TokenReviewStatus> => {
    const authentication = cluster.config.makeApiClient(AuthenticationV1Api)
    const { status } = await authentication.createTokenReview({ body: { spec: { token } } })
    return status!
  }
  /** The token is that of an account. */
  const isToken = async (token: string, namespace: string, name: string): Promise<void> => {
    const { authenticated, error, user } = await review(token)
    assert.equal(authenticated, true)
    assert.equal(error ?? '', '')
    assert.equal(user?.username, `system:serviceaccount:${namespace}:${name}`)
    assert.deepEqual(user.groups?.toSorted(), groupsOf(namespace))
  }

  void test(
    '[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]',
    deadline,
    async () => {
      const authorization = cluster.config.makeApiClient(AuthorizationV1Api)
      const namespace = await cluster.namespace('subject-review')
      const name = 'e2e'
      const account = await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } })
      const uid = account.metadata!.uid!
      const user = `system:serviceaccount:${namespace}:${name}`
      const groups = [...groupsOf(namespace)]
      const resourceAttributes = { verb: 'list', resource: 'configmaps', namespace, version: 'v1' }
      const spec = { resourceAttributes, user, groups, uid }
      const answered = await authorization.createSubjectAccessReview({ body: { spec } })

      const lists = async (): Promise<boolean> => {
        const as = [`--as=${user}`, `--as-uid=${uid}`, ...groups.map((group) => `--as-group=${group}`)]
        const { code, stderr } = await cluster.aksel.run(['kubectl', '-n', namespace, 'get', 'configmaps', ...as])
        if (code !== 0) assert.match(stderr, /\(Forbidden\)/)
        return code === 0
      }
      assert.equal(answered.status?.allowed, await lists())
      const body = { metadata: { namespace }, spec: { ...spec, user: name } }
      const local = await authorization.createNamespacedLocalSubjectAccessReview({ namespace, body })
      assert.equal(local.status?.allowed, await lists())
    },
  )

  void test(
    '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('token-review')
      const name = 'e2e-account'
      await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } })
      const body = { spec: { audiences: [] } }
      const { status } = await cluster.core.createNamespacedServiceAccountToken({ namespace, name, body })
      await isToken(status!.token!, namespace, name)
      await cluster.core.deleteNamespacedServiceAccount({ namespace, name })
      assert.notEqual((await review(status!.token!)).authenticated, true)
    },
  )

  void test(
    '[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]',
    deadline,
    async () => {
      const maps = new Objects(cluster, 'v1', 'configmaps', await cluster.namespace('root-ca'))
      const query = { fieldSelector: `metadata.name=${rootCa}` }
      const { items } = await maps.listed(query, (found) => found.length === 1)
      const [first] = items
      await maps.delete(rootCa)
      const isOther = ([found]: readonly AnyObject[]): boolean =>
        found !== undefined && found.metadata.uid !== first!.metadata.uid
      await maps.listed(query, isOther)
      const emptied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: rootCa }, data: { 'ca.crt': '' } }
      await maps.replace(emptied as unknown as AnyObject)
      await maps.listed(query, ([found]) => found?.['data']?.['ca.crt'] === first!['data']['ca.crt'])
    },
  )

  void test('[sig-auth] ServiceAccounts should mount an API token into pods [Conformance]', deadline, async () => {
    const pods = await podsIn(cluster, 'accounts')
    const { namespace } = pods
    const name = 'mount-test'
    await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } })
    await pods.create('pod-service-account', {
      serviceAccountName: name,
      restartPolicy: 'Never',
      containers: [{ name: 'test', image: busybox, command: ['sleep', '100000'] }],
    })
    await pods.running('pod-service-account')
    const read = (file: string): Promise<string> => pods.exec('pod-service-account', ['cat', `${tokenFolder}/${file}`])
    const { data } = await cluster.core.readNamespacedConfigMap({ namespace, name: rootCa })
    assert.equal(await read('ca.crt'), data!['ca.crt'])
    assert.equal(await read('namespace'), namespace)
    await isToken(await read('token'), namespace, name)
  })

  void test(
    '[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'accounts')
      const { namespace } = pods
      for (const [name, automountServiceAccountToken] of [
        ['mount', true],
        ['nomount', false],
      ] as const)
        await cluster.core.createNamespacedServiceAccount({
          namespace,
          body: { metadata: { name }, automountServiceAccountToken },
        })
      // What the pod says counts before what its account says.
      for (const [account, own, isMounted] of [
        ['default', undefined, true],
        ['mount', undefined, true],
        ['nomount', undefined, false],
        ['default', true, true],
        ['mount', true, true],
        ['nomount', true, true],
        ['default', false, false],
        ['mount', false, false],
        ['nomount', false, false],
      ] as const) {
        const name = `pod-service-account-${account}sa-${own ?? 'unset'}`
        const { spec } = await pods.create(name, {
          serviceAccountName: account,
          restartPolicy: 'Never',
          containers: [{ name: 'token-test', image: agnhost }],
          ...(own === undefined ? {} : { automountServiceAccountToken: own }),
        })
        const paths = spec!.containers.flatMap(({ volumeMounts = [] }) =>
          volumeMounts.map(({ mountPath }) => mountPath),
        )
        assert.equal(paths.includes(tokenFolder), isMounted, name)
      }
    },
  )

  void test(
    '[sig-auth] ServiceAccounts should mount projected service account token [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'accounts')
      const path = '/test-volume/token'
      const source = { serviceAccountToken: { path: 'token', expirationSeconds: 3_600 } }
      const output = await pods.output(
        'test-pod',
        {
          image: agnhost,
          args: ['mounttest', `--file_content=${path}`],
          volumeMounts: [{ name: 'test-volume', mountPath: '/test-volume', readOnly: true }],
        },
        { volumes: [{ name: 'test-volume', projected: { sources: [source] } }] },
      )
      const content = /^content of file "\/test-volume\/token": ([\w=-]+\.[\w=-]+\.?[\w.+/=-]*)$/m.exec(output)
      assert.ok(content !== null, output)
      await isToken(content[1]!, pods.namespace, 'default')
    },
  )

  void test(
    '[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'accounts')
      const name = 'oidc-discovery-validator'
      const sources = [
        { serviceAccountToken: { path: 'token', audience: 'oidc-discovery-test', expirationSeconds: 7200 } },
      ]
      await pods.create(name, {
        restartPolicy: 'Never',
        containers: [
          {
            name: 'oidc-discovery-validator',
            image: agnhost,
            args: [
              'test-service-account-issuer-discovery',
              '--in-cluster-discovery',
              '--token-path=/var/run/secrets/tokens/token',
              '--audience=oidc-discovery-test',
            ],
            volumeMounts: [{ name: 'token', mountPath: '/var/run/secrets/tokens', readOnly: true }],
          },
        ],
        volumes: [{ name: 'token', projected: { sources } }],
      })
      // The pod reads with a token of another audience: what it reads is open to every account.
      const { rules } = await cluster.config
        .makeApiClient(RbacAuthorizationV1Api)
        .readClusterRole({ name: 'system:service-account-issuer-discovery' })
      assert.ok(rules?.some(({ nonResourceURLs }) => nonResourceURLs?.includes('/openid/v1/jwks')))
      await pods.succeeded(name)
      assert.match(await pods.log(name), /successfully validated the token/)
    },
  )
})
