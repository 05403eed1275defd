// ClusterTrustBundles in a pod's files, on a real node: one by name, those of a signer, changed while it runs, and one that is missing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterTrustBundles, events, pods } from '@aksel/api/resources'
import type { Pod, VolumeProjection } from '@aksel/api/types/core-v1'
import { createAuthority } from '@aksel/runtime/pki'
import { busyboxPod, startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

function trusting(name: string, sources: readonly VolumeProjection[], command: readonly string[]): Pod {
  const base = busyboxPod(name, [...command], { terminationGracePeriodSeconds: 1 })
  const [main] = base.spec.containers
  const volumeMounts = [{ name: 'anchors', mountPath: '/anchors' }]
  const volumes = [{ name: 'anchors', projected: { sources } }]
  return { ...base, spec: { ...base.spec, volumes, containers: [{ ...main!, volumeMounts }] } }
}

test('a pod has the trust anchors that it names, follows their changes, and waits for those that are not there', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const authority = async (commonName: string): Promise<string> =>
    (await createAuthority(scope, { commonName, years: 1 })).certificatePem.trim()
  const [one, two, three] = [await authority('one'), await authority('two'), await authority('three')]
  const signerName = 'example.com/mesh'
  await client.create(clusterTrustBundles, { metadata: { name: 'plain' }, spec: { trustBundle: one } })
  const mesh = {
    metadata: { name: 'example.com:mesh:a', labels: { stage: 'live' } },
    spec: { signerName, trustBundle: two },
  }
  await client.create(clusterTrustBundles, mesh)
  const sources = [
    { clusterTrustBundle: { name: 'plain', path: 'plain.pem' } },
    { clusterTrustBundle: { signerName, labelSelector: { matchLabels: { stage: 'live' } }, path: 'mesh.pem' } },
    { clusterTrustBundle: { name: 'nowhere', optional: true, path: 'none.pem' } },
  ]
  await client.create(pods, trusting('trusting', sources, ['sleep', '1000']))
  const running = await harness.podWhen('trusting', isReady)
  const id = running?.status?.containerStatuses?.[0]?.containerID?.slice(13) ?? ''
  const read = async (path: string): Promise<string> => {
    const { stdout } = await containerd.runtime.execSync(id, ['cat', `/anchors/${path}`], 5)
    return Buffer.from(stdout).toString().trim()
  }
  assert.deepEqual([await read('plain.pem'), await read('mesh.pem'), await read('none.pem')], [one, two, ''])
  const more = { ...mesh, metadata: { ...mesh.metadata, name: 'example.com:mesh:b' } }
  await client.create(clusterTrustBundles, { ...more, spec: { signerName, trustBundle: three } })
  const waiting = ['sh', '-c', 'while [ $(grep -c BEGIN /anchors/mesh.pem) != 2 ]; do sleep 0.2; done']
  const { exitCode } = await containerd.runtime.execSync(id, waiting, 30)
  assert.equal(exitCode, 0, 'the file follows')
  assert.ok((await read('mesh.pem')).includes(three) && (await read('mesh.pem')).includes(two))

  const missing = [{ clusterTrustBundle: { name: 'later', path: 'later.pem' } }]
  await client.create(pods, trusting('waiting', missing, ['sleep', '1000']))
  const said = async (): Promise<boolean> => {
    const { items } = await client.list(events, { namespace: 'default' })
    return items.some(
      ({ reason, message, involvedObject }) =>
        involvedObject.name === 'waiting' &&
        reason === 'FailedMount' &&
        message?.includes('clustertrustbundle.certificates.k8s.io "later" not found') === true,
    )
  }
  const watch = client.watch(events, { namespace: 'default', signal: AbortSignal.timeout(30_000) })
  if (!(await said())) for await (const _ of watch) if (await said()) break
  await client.create(clusterTrustBundles, { metadata: { name: 'later' }, spec: { trustBundle: one } })
  await harness.podWhen('waiting', isReady)
})
