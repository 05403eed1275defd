// What a manifest becomes, and which are refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseManifest } from './manifest.ts'

const text = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - name: main
    image: busybox:1.36
`
const parse = (manifest: string, path = '/m/web.yaml') =>
  parseManifest({ path, text: manifest, nodeName: 'N1', seenAt: '2026-11-27T08:00:00Z' })

test('parseManifest() names the pod after its node and fills in what the API server would', () => {
  const pod = parse(text)
  const { name, namespace, uid, annotations } = pod.metadata
  assert.deepEqual([name, namespace], ['web-n1', 'default'])
  assert.match(uid ?? '', /^[0-9a-f]{32}$/)
  assert.deepEqual(annotations, {
    'kubernetes.io/config.hash': uid,
    'kubernetes.io/config.seen': '2026-11-27T08:00:00Z',
    'kubernetes.io/config.source': 'file',
  })
  assert.equal(pod.spec.nodeName, 'N1')
  assert.deepEqual(pod.spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }])
  assert.deepEqual(
    [pod.spec.restartPolicy, pod.spec.dnsPolicy, pod.spec.containers[0]?.imagePullPolicy],
    ['Always', 'ClusterFirst', 'IfNotPresent'],
  )
})

test('the uid follows what the manifest says and where it lies, and JSON is read as well', () => {
  const uid = parse(text).metadata.uid
  assert.equal(parse(text).metadata.uid, uid)
  assert.notEqual(parse(text.replace('1.36', '1.37')).metadata.uid, uid)
  assert.notEqual(parse(text, '/m/other.yaml').metadata.uid, uid)
  const json = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'j', uid: 'own' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  })
  assert.equal(parse(json).metadata.uid, 'own')
})

test('parseManifest() refuses what needs the API, what is no pod, and bombs', () => {
  assert.throws(() => parse('kind: Deployment'), /\/m\/web.yaml as a static pod: it is no Pod/)
  assert.throws(() => parse(`${text}  serviceAccountName: x\n`), /may not reference a service account/)
  assert.throws(() => parse(`${text}  volumes: [{name: v, secret: {secretName: s}}]\n`), /by volume "v"/)
  assert.throws(() => parse(`${text}    envFrom: [{configMapRef: {name: c}}]\n`), /environment of container "main"/)
  assert.throws(() => parse('a: &a [1]\nb: *a'), /Cannot read/)
})
