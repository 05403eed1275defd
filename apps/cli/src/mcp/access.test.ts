// What each level of access lets through, and the tricks that it does not.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { judgeAz, judgeHelm, judgeKubectl, wordsOf, type AccessLevel, type Limits, type Verdict } from './access.ts'

const limits = (level: AccessLevel, ...namespaces: readonly string[]): Limits => ({ level, namespaces })

type Row = readonly [command: string, lowest: AccessLevel | 'never']

const kubectl: readonly Row[] = [
  ['get pods -n shop', 'readonly'],
  ['kubectl get pods -A -o yaml', 'readonly'],
  ['-n shop get pods', 'readonly'],
  ['describe secret db', 'readonly'],
  ['get secrets', 'readonly'],
  ['get secrets -o name', 'readonly'],
  ['logs web --previous --tail=20', 'readonly'],
  ['rollout status deployment/web', 'readonly'],
  ['auth can-i list pods', 'readonly'],
  ["get pods --selector='app=web'", 'readonly'],
  ['rollout undo deployment/web', 'readwrite'],
  ['scale deployment/web --replicas=3', 'readwrite'],
  ['delete pod web', 'readwrite'],
  ['exec web -- ls /', 'readwrite'],
  ['drain node-1', 'admin'],
  ['cordon node-1', 'admin'],
  ['certificate approve jane', 'admin'],
  ['auth reconcile -f x.yaml', 'admin'],
  ['get secret db -o yaml', 'admin'],
  ['get pods,secrets -ojson', 'admin'],
  ['get secret/db --output=jsonpath={.data}', 'admin'],
  ['get Secrets.v1. -o=json', 'admin'],
  ['proxy', 'never'],
  ['port-forward svc/web 8080', 'never'],
  ['cp web:/etc/passwd x', 'never'],
  ['attach web', 'never'],
  ['edit deployment/web', 'never'],
  ['logs -f web', 'never'],
  ['get pods -w', 'never'],
  ['get pods --watch', 'never'],
  ['exec -it web -- sh', 'never'],
  ['get pods --token=x', 'never'],
  ['get pods --as system:admin', 'never'],
  ['get pods --kubeconfig /etc/other', 'never'],
  ['get --raw /api/v1/secrets', 'never'],
  ['config view --raw', 'never'],
  ['config view', 'never'],
  ['get pods | sh', 'never'],
  ['get pods; rm -rf /', 'never'],
  ['get pods && id', 'never'],
  ['get pods > x', 'never'],
  ['get $(id)', 'never'],
  ['get `id`', 'never'],
  ['get pods\nrm x', 'never'],
  ['', 'never'],
  ['frobnicate', 'never'],
]

const helm: readonly Row[] = [
  ['list -A', 'readonly'],
  ['helm status web -n shop', 'readonly'],
  ['install web ./chart', 'readwrite'],
  ['uninstall web', 'readwrite'],
  ['list --kube-token x', 'never'],
  ['plugin install x', 'never'],
]

const az: readonly Row[] = [
  ['az aks list', 'readonly'],
  ['aks show -g aksel -n demo', 'readonly'],
  ['aks nodepool get-upgrades -g a --cluster-name b -n c', 'readonly'],
  ['aks delete --help', 'readonly'],
  ['aks scale -g a -n b --node-count 3', 'readwrite'],
  ['aks delete -g a -n b', 'readwrite'],
  ['aks get-credentials -g a -n b', 'admin'],
  ['account get-access-token', 'admin'],
  ['aks create -g a -n @/etc/passwd', 'never'],
  ['aks list | cat', 'never'],
  ['', 'never'],
]

const levels = ['readonly', 'readwrite', 'admin'] as const

function holds(rows: readonly Row[], judge: (command: string, limits: Limits) => Verdict): void {
  for (const [command, lowest] of rows)
    for (const level of levels) {
      const wanted = lowest !== 'never' && levels.indexOf(level) >= levels.indexOf(lowest)
      assert.equal(judge(command, limits(level)).allowed, wanted, `${JSON.stringify(command)} at ${level}`)
    }
}

void suite('a command that a model writes', () => {
  void test('of kubectl needs the level that it says', () => holds(kubectl, judgeKubectl))
  void test('of Helm needs the level that it says', () => holds(helm, judgeHelm))
  void test('of az needs the level that it says', () => holds(az, judgeAz))

  void test('is words, with quotes and without a shell', () => {
    assert.deepEqual(wordsOf(`get pods -l 'app in (a,b)' --x="a \\"b\\""`), [
      'get',
      'pods',
      '-l',
      'app in (a,b)',
      '--x=a "b"',
    ])
    assert.equal(wordsOf(`get "pods`), undefined)
  })

  void test('stays in the namespaces that are allowed', () => {
    const shop = limits('readonly', 'shop', 'web')
    assert.deepEqual(judgeKubectl('get pods', shop), { allowed: true, args: ['-n', 'shop', 'get', 'pods'] })
    assert.equal(judgeKubectl('get pods -n web', shop).allowed, true)
    assert.equal(judgeKubectl('get pods -nweb', shop).allowed, true)
    assert.equal(judgeKubectl('get pods -n kube-system', shop).allowed, false)
    assert.equal(judgeKubectl('get pods --namespace=kube-system', shop).allowed, false)
    assert.equal(judgeKubectl('get pods -A', shop).allowed, false)
    assert.equal(judgeHelm('list -n other', shop).allowed, false)
  })

  void test('of az that deletes says yes by itself: nobody is there to ask', () => {
    assert.deepEqual(judgeAz('aks delete -n demo', limits('readwrite')), {
      allowed: true,
      args: ['aks', 'delete', '-n', 'demo', '--yes'],
    })
  })
})
