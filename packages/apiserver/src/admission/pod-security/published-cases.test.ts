// The published cases of the Pod Security standards: every one is judged as its makers say, by the standards and by a server.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setPodDefaults } from '@aksel/api/kinds/pod-defaults'
import { sized } from '@aksel/testing/test-size'
import { startTestServer, type TestServer } from '../../test-server.ts'
import { describe, violationsOf } from './evaluate.ts'
import { digestOf, publishedCases, type PublishedCase } from './published-cases.ts'
import type { CheckedPod } from './words.ts'

const newestMinor = 36
const minors = Array.from({ length: newestMinor + 1 }, (_, minor) => minor)
/** What `compare-published.ts` prints for the pods published with v1.0 to v1.36 of the standards. */
const publishedDigest = '6631e342aaa13bf33ae2d7ea5b0bd12f6add4e4402ced36de9bfb73c19d2a810'

test('the table of cases makes exactly the pods that are published', () => {
  const cases = minors.flatMap(publishedCases)
  assert.equal(cases.length, 4389)
  assert.equal(digestOf(cases), publishedDigest)
})

test('every published pod of every version is judged as published, for the reason that is published', () => {
  const wrong: string[] = []
  for (const one of minors.flatMap(publishedCases)) {
    const pod = structuredClone(one.pod) as unknown as Parameters<typeof setPodDefaults>[0]
    setPodDefaults(pod)
    const found = describe(violationsOf({ level: one.level, minor: one.minor }, pod as CheckedPod, newestMinor))
    const isRight = one.verdict === 'pass' ? found === '' : found !== '' && found.includes(one.words)
    if (!isRight) wrong.push(`${placeOf(one)}: ${found}`)
  }
  assert.deepEqual(wrong, [])
})

/** A server at each of its own minors; all where the standards changed when there is time. */
const served = sized({ gate: [newestMinor], full: [0, 8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35, newestMinor] })

test('a server refuses the published pods that fail, warns of workloads that would make them, and takes the others', async () => {
  await using api = await startTestServer({ kubernetesVersion: `1.${newestMinor}.2` })
  const wrong: string[] = []
  for (const one of served.flatMap(publishedCases)) wrong.push(...(await judge(api, one)))
  assert.deepEqual(wrong, [])
})

async function judge(api: TestServer, one: PublishedCase): Promise<readonly string[]> {
  const namespace = `${one.level}-${one.minor}`
  await makeNamespace(api, namespace, one)
  const found: string[] = []
  const { metadata, spec } = one.pod as { metadata: Record<string, unknown>; spec: unknown }
  // Not every case's name can be a pod's.
  const body = { metadata: { ...metadata, name: 'test' }, spec }
  const pod = await api.ask(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, { body })
  const said = pod.status === 201 ? '' : String(pod.json['message'])
  if (one.verdict === 'pass' ? said !== '' : pod.status < 400 || !said.includes(one.words))
    found.push(`${placeOf(one)}: pod ${pod.status} ${said}`)
  const template = { metadata: { annotations: metadata['annotations'], labels: { test: 'true' } }, spec }
  const deployment = await api.ask(`/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`, {
    body: { metadata: { name: 'test' }, spec: { selector: { matchLabels: { test: 'true' } }, template } },
  })
  // What fails procMount since 1.35 is not valid at all.
  const isInvalid = one.verdict === 'fail' && one.minor >= 35 && /^procmount\d/.test(one.name)
  const warned = deployment.status === 201 ? (deployment.headers['warning'] ?? '') : String(deployment.json['message'])
  const isRight =
    (deployment.status === 201) === !isInvalid &&
    (one.verdict === 'pass' ? !warned.includes('PodSecurity') : warned.includes(one.words))
  if (!isRight) found.push(`${placeOf(one)}: deployment ${deployment.status} ${warned}`)
  return found
}

async function makeNamespace(api: TestServer, name: string, { level, minor }: PublishedCase): Promise<void> {
  const labels = {
    'pod-security.kubernetes.io/enforce': level,
    'pod-security.kubernetes.io/enforce-version': `v1.${minor}`,
    'pod-security.kubernetes.io/warn': level,
    'pod-security.kubernetes.io/warn-version': `v1.${minor}`,
  }
  const made = await api.ask('/api/v1/namespaces', { body: { metadata: { name, labels } } })
  if (made.status === 409) return
  await api.ask(`/api/v1/namespaces/${name}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
}

function placeOf({ level, minor, verdict, name }: PublishedCase): string {
  return `${level} v1.${minor} ${verdict} ${name}`
}
