// Accounts of pods: their tokens, what is mounted, what reviews say of them, and what the issuer publishes.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  RbacAuthorizationV1Api,
  type V1ConfigMap,
  type V1PodSpec,
} from '@kubernetes/client-node'
import { agnhost, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'
import { readVolume } from '../storage/volume-pods.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 120_000 }
const folder = '/var/run/secrets/kubernetes.io/serviceaccount'

void suite('service accounts', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods
  let authentication: AuthenticationV1Api

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'svcaccounts')
    authentication = cluster.config.makeApiClient(AuthenticationV1Api)
  })
  after(() => cluster[Symbol.asyncDispose]())

  const account = async (name: string, automountServiceAccountToken?: boolean): Promise<string> => {
    const body = {
      metadata: { name },
      ...(automountServiceAccountToken === undefined ? {} : { automountServiceAccountToken }),
    }
    const made = await cluster.core.createNamespacedServiceAccount({ namespace: pods.namespace, body })
    return made.metadata!.uid!
  }
  const review = async (token: string) =>
    (await authentication.createTokenReview({ body: { spec: { token } } })).status!

  void test('[sig-auth] ServiceAccounts should mount an API token into pods [Conformance]', deadline, async () => {
    const uid = await account('mount-test')
    const name = fresh('pod-service-account')
    await pods.create(name, { serviceAccountName: 'mount-test', containers: [{ name: 'test', image: agnhost }] })
    const pod = await pods.running(name)
    const read = (file: string): Promise<string> => pods.exec(name, ['cat', `${folder}/${file}`])
    const rootCa = await cluster.core.readNamespacedConfigMap({ namespace: pods.namespace, name: 'kube-root-ca.crt' })
    assert.equal((await read('ca.crt')).trim(), rootCa.data!['ca.crt']!.trim())
    assert.equal(await read('namespace'), pods.namespace)
    const { authenticated, user } = await review((await read('token')).trim())
    assert.equal(authenticated, true)
    assert.equal(user?.username, `system:serviceaccount:${pods.namespace}:mount-test`)
    assert.equal(user?.uid, uid)
    assert.deepEqual(user?.groups, [
      'system:serviceaccounts',
      `system:serviceaccounts:${pods.namespace}`,
      'system:authenticated',
    ])
    assert.deepEqual(user?.extra?.['authentication.kubernetes.io/pod-name'], [name])
    assert.deepEqual(user?.extra?.['authentication.kubernetes.io/pod-uid'], [pod.metadata!.uid!])
    await pods.delete(name)
  })
  void test(
    '[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]',
    deadline,
    async () => {
      await Promise.all([account('default-mount'), account('mount', true), account('nomount', false)])
      const cases: readonly (readonly [string, boolean | undefined, boolean])[] = [
        ['default-mount', undefined, true],
        ['mount', undefined, true],
        ['nomount', undefined, false],
        ['default-mount', true, true],
        ['mount', true, true],
        ['nomount', true, true],
        ['default-mount', false, false],
        ['mount', false, false],
        ['nomount', false, false],
      ]
      for (const [serviceAccountName, automount, expected] of cases) {
        const spec: V1PodSpec = {
          serviceAccountName,
          containers: [{ name: 'token-test', image: pause }],
          ...(automount === undefined ? {} : { automountServiceAccountToken: automount }),
        }
        const name = fresh('pod-service-account')
        const made = await pods.create(name, spec)
        const isMounted = (made.spec!.containers[0]!.volumeMounts ?? []).some(({ mountPath }) => mountPath === folder)
        assert.equal(isMounted, expected, `${serviceAccountName} ${String(automount)}`)
        await pods.delete(name)
      }
    },
  )
  void test(
    '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]',
    deadline,
    async () => {
      const name = 'e2e-sa-token'
      const uid = await account(name)
      const request = { spec: { audiences: [], expirationSeconds: 3600 } }
      const { status } = await cluster.core.createNamespacedServiceAccountToken({
        namespace: pods.namespace,
        name,
        body: request as never,
      })
      const { authenticated, user, error } = await review(status!.token!)
      assert.equal(error ?? '', '')
      assert.equal(authenticated, true)
      assert.deepEqual([user?.username, user?.uid], [`system:serviceaccount:${pods.namespace}:${name}`, uid])
      await cluster.core.deleteNamespacedServiceAccount({ namespace: pods.namespace, name })
      assert.notEqual((await review(status!.token!)).authenticated, true)
    },
  )
  void test(
    '[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]',
    deadline,
    async () => {
      const at = { namespace: pods.namespace, name: 'kube-root-ca.crt' }
      const until = (isWanted: (found: V1ConfigMap | undefined) => boolean) =>
        watched<V1ConfigMap>(cluster.config, {
          path: `/api/v1/namespaces/${pods.namespace}/configmaps`,
          name: at.name,
          isWanted,
          waitMs: 60_000,
        })
      const first = await cluster.core.readNamespacedConfigMap(at)
      assert.ok(first.data?.['ca.crt']?.startsWith('-----BEGIN CERTIFICATE-----'))
      await cluster.core.deleteNamespacedConfigMap(at)
      await until(
        (found) =>
          found !== undefined &&
          found.metadata?.uid !== first.metadata!.uid &&
          found.data?.['ca.crt'] === first.data!['ca.crt'],
      )
      await cluster.core.replaceNamespacedConfigMap({
        ...at,
        body: { metadata: { name: at.name }, data: { 'ca.crt': '' } },
      })
      await until((found) => found?.data?.['ca.crt'] === first.data!['ca.crt'])
    },
  )
  void test(
    '[sig-auth] ServiceAccounts should mount projected service account token [Conformance]',
    deadline,
    async () => {
      const sources = [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }]
      await readVolume(
        pods,
        {
          volumes: [{ name: 'token-volume', projected: { sources } }],
          flags: ['--file_content=/etc/token-volume/token'],
        },
        /content of file "\/etc\/token-volume\/token": [\w-]+\.[\w-]+\.[\w-]+\n/,
      )
    },
  )
  void test(
    '[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer [Conformance]',
    deadline,
    async () => {
      const name = fresh('oidc-discovery-validator')
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
  void test(
    '[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]',
    deadline,
    async () => {
      const authorization = cluster.config.makeApiClient(AuthorizationV1Api)
      const rbac = cluster.config.makeApiClient(RbacAuthorizationV1Api)
      const name = 'e2e-subject'
      await account(name)
      const user = `system:serviceaccount:${pods.namespace}:${name}`
      const resourceAttributes = { verb: 'list', resource: 'configmaps', version: 'v1', namespace: pods.namespace }
      const everywhere = async (): Promise<boolean | undefined> =>
        (await authorization.createSubjectAccessReview({ body: { spec: { user, resourceAttributes } } })).status
          ?.allowed
      const here = async (): Promise<boolean | undefined> =>
        (
          await authorization.createNamespacedLocalSubjectAccessReview({
            namespace: pods.namespace,
            body: { metadata: { namespace: pods.namespace }, spec: { user, resourceAttributes } },
          })
        ).status?.allowed
      assert.deepEqual([await everywhere(), await here()], [false, false])
      await rbac.createNamespacedRoleBinding({
        namespace: pods.namespace,
        body: {
          metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
          subjects: [{ kind: 'ServiceAccount', name, namespace: pods.namespace }],
        },
      })
      assert.deepEqual([await everywhere(), await here()], [true, true])
    },
  )
})
