// An operator as users write them, against a simulated cluster: its kind in two versions, its scale, and an autoscaler.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import {
  KubeConfig,
  type CoreV1Event,
  type V1Deployment,
  type V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import { createAuthority, issue } from '@aksel/runtime/pki'
import type { Bakery, OldBakery } from '../../examples/operator/bakery.ts'
import { startOperator } from '../../examples/operator/operator.ts'
import type { Certificate } from '../../examples/operator/webhook.ts'
import { watched } from '../conformance/watched.ts'
import { Aksel, repositoryRoot } from './aksel.ts'

const manifests = join(repositoryRoot, 'examples/operator/manifests')
const deadline = { timeout: 120_000 }
const bakeries = (version: string): string => `/apis/example.com/${version}/namespaces/default/bakeries`
const usage = (memory: string): string => `aksel.dev/simulated-usage={"memory":"${memory}"}`

void suite('an operator with a kind of its own', () => {
  let aksel: Aksel
  let config: KubeConfig
  let operator: AsyncDisposable | undefined

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--simulated', '--nodes', '2'])
    config = new KubeConfig()
    config.loadFromFile(join(aksel.dataDir, 'kubeconfig'))
    operator = await startOperator(config, await webhookCertificate())
  })
  after(async () => {
    await operator?.[Symbol.asyncDispose]()
    await aksel[Symbol.asyncDispose]()
  })

  const untilReady = (name: string, replicas: number): Promise<Bakery | undefined> =>
    watched<Bakery>(config, {
      path: bakeries('v1'),
      name,
      isWanted: (bakery) => bakery?.spec.replicas === replicas && bakery.status?.readyReplicas === replicas,
      waitMs: 60_000,
    })

  void test('objects are applied in both versions, and read and watched in both', deadline, async () => {
    await aksel.kubectl(['apply', '-f', join(manifests, 'old.yaml')])
    await aksel.kubectl(['apply', '--server-side', '-f', join(manifests, 'new.yaml')])
    const old = await untilReady('old', 2)
    assert.deepEqual(old?.spec, { replicas: 2, image: { name: 'nginx', tag: '1.28' } })
    await untilReady('new', 2)

    const asOld = await aksel.json<{ readonly items: readonly OldBakery[] }>('get bakeries.v1beta1.example.com')
    assert.deepEqual(
      asOld.items.map(({ apiVersion, metadata, spec }) => [apiVersion, metadata?.name, spec]),
      [
        ['example.com/v1beta1', 'new', { ovens: 2, image: 'nginx:latest' }],
        ['example.com/v1beta1', 'old', { ovens: 2, image: 'nginx:1.28' }],
      ],
    )
    const watchedOld = await watched<OldBakery>(config, {
      path: bakeries('v1beta1'),
      name: 'new',
      isWanted: (bakery) => bakery?.status?.readyReplicas === 2,
      waitMs: 10_000,
    })
    assert.equal(watchedOld?.spec.ovens, 2)
    const table = await aksel.kubectl('get bk --no-headers')
    assert.match(table, /^new +2 +2\nold +2 +2\n$/)
    assert.match(await aksel.kubectl('get bakeries.v1beta1.example.com'), /^NAME +OVENS\nnew +2\nold +2\n$/)
    // Applied again, each in its own version, nothing changes.
    assert.equal(
      await aksel.kubectl(['apply', '-f', join(manifests, 'old.yaml')]),
      'bakery.example.com/old unchanged\n',
    )
  })

  void test('kubectl scale works through the scale of each version', deadline, async () => {
    await aksel.kubectl('scale bakery/old --replicas=3')
    await untilReady('old', 3)
    assert.equal((await aksel.json<OldBakery>('get bakeries.v1beta1.example.com old')).spec.ovens, 3)
    await aksel.kubectl('scale bakeries.v1beta1.example.com/old --current-replicas=3 --replicas=1')
    await untilReady('old', 1)
    assert.equal((await aksel.json<V1Deployment>('get deployment old')).spec?.replicas, 1)
  })

  void test('an autoscaler follows what the pods use, up and down', deadline, async () => {
    await aksel.kubectl(['annotate', 'pods', '-l', 'bakery=new', usage('150Mi')])
    await aksel.kubectl(['apply', '-f', join(manifests, 'autoscaler.yaml')])
    await untilReady('new', 3)
    await aksel.kubectl(['annotate', '--overwrite', 'pods', '-l', 'bakery=new', usage('10Mi')])
    await untilReady('new', 1)
    const autoscaler = await aksel.json<V2HorizontalPodAutoscaler>('get hpa new')
    const isAble = autoscaler.status?.conditions?.find(({ type }) => type === 'AbleToScale')
    assert.equal(isAble?.status, 'True', JSON.stringify(autoscaler.status))
    for (const message of [
      'New size: 3; reason: memory resource above target',
      'New size: 1; reason: All metrics below target',
    ])
      await watched<CoreV1Event>(config, {
        path: '/api/v1/namespaces/default/events',
        isWanted: (event) => event?.reason === 'SuccessfulRescale' && event.message === message,
        waitMs: 10_000,
      })
  })

  void test('what its webhook does not answer is refused, and told', deadline, async () => {
    await aksel.kubectl(['delete', 'bakeries', '--all'])
    await watched<V1Deployment>(config, {
      path: '/apis/apps/v1/namespaces/default/deployments',
      name: 'old',
      isWanted: (deployment) => deployment === undefined,
      waitMs: 30_000,
    })
    await operator?.[Symbol.asyncDispose]()
    operator = undefined
    const refusal = await aksel.fails(['kubectl', 'create', '-f', join(manifests, 'old.yaml')])
    assert.match(
      refusal,
      /conversion webhook for example\.com\/v1beta1, Kind=Bakery failed: Post "https:\/\/127\.0\.0\.1:/,
    )
  })
})

async function webhookCertificate(): Promise<Certificate> {
  const signal = new AbortController().signal
  const scope = { clock: systemClock(), random: systemRandom(), log: logTo(() => {}), signal }
  const authority = await createAuthority(scope, { commonName: 'bakery', years: 1 })
  const leaf = await issue(scope, authority, {
    commonName: 'bakery-operator',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  return { authority: authority.certificatePem, certificate: leaf.certificatePem, key: leaf.keyPem }
}
