// kubectl and Helm against a simulated cluster: command by command what people see, as upstream's servers would have it.

import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { type ApiException, CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { Aksel } from './aksel.ts'
import { assertLeaksAreFound, plantSecrets } from './plant-secrets.ts'
import { Shell } from './shell.ts'

const stories = [
  'kubectl',
  'apply',
  'helm',
  'helm-chart',
  'workloads',
  'kinds',
  'custom',
  'explain',
  'chores',
  'rbac',
  'admission',
  'describe',
  'three-kinds',
  'labels',
  'cluster',
] as const

function configOf({ dataDir }: Aksel): KubeConfig {
  const config = new KubeConfig()
  config.loadFromFile(join(dataDir, 'kubeconfig'))
  return config
}

/** Of no issuer: where those without credentials may go. */
function authentication(anonymous: string): string {
  return `{kind: AuthenticationConfiguration, apiVersion: apiserver.config.k8s.io/v1, anonymous: ${anonymous}}`
}

void suite('transcripts on a simulated cluster', () => {
  let aksel: Aksel
  let shell: Shell
  let issuers: string

  before(async () => {
    aksel = await Aksel.inNewFolder()
    issuers = join(aksel.dataDir, 'authentication.yaml')
    await writeFile(issuers, authentication('{enabled: true}'))
    await aksel.ok(['up', '--simulated', '--nodes', '2', '--authentication-config', issuers])
    shell = await Shell.open(aksel)
  })
  after(async () => {
    await aksel[Symbol.asyncDispose]()
  })

  for (const story of stories) {
    void test(`${story} prints what its transcript says`, { timeout: 240_000 }, () => shell.replay(story))
  }

  void test('where nobody in particular may go is read again from its file', { timeout: 60_000 }, async () => {
    const { caData, server } = configOf(aksel).getCurrentCluster()!
    const ca = Buffer.from(caData!, 'base64')
    const status = (path: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get(`${server}${path}`, { ca, agent: false }, (response) => resolve(response.resume().statusCode)).on(
          'error',
          reject,
        )
      })
    // Whoever changes such a file puts another one in its place.
    const put = async (anonymous: string): Promise<void> => {
      await writeFile(`${issuers}.new`, authentication(anonymous))
      await rename(`${issuers}.new`, issuers)
    }
    const until = async (path: string, wanted: number): Promise<void> => {
      const late = AbortSignal.timeout(30_000)
      while ((await status(path)) !== wanted) late.throwIfAborted()
    }
    assert.equal(await status('/version'), 200)
    await put('{enabled: true, conditions: [{path: /livez}]}')
    await until('/version', 401)
    assert.equal(await status('/livez'), 200)
    await put('{enabled: true}')
    await until('/version', 200)
    assert.match(
      await aksel.kubectl(['get', '--raw', '/metrics']),
      /^apiserver_authentication_config_controller_automatic_reloads_total\{apiserver_id_hash="sha256:[0-9a-f]{64}",status="success"\} 2$/m,
    )
  })

  void test(
    'of two hundred creates at once exactly as many pass as a quota has left',
    { timeout: 240_000 },
    async () => {
      const core = configOf(aksel).makeApiClient(CoreV1Api)
      const kubectl = (command: string): Promise<string> => shell.run(`kubectl -n race ${command}`)
      await shell.run('kubectl create namespace race')
      await kubectl('create quota few --hard=pods=37,requests.cpu=3800m')
      assert.match(
        await kubectl("wait quota/few --for=jsonpath='{.status.used.pods}'=0 --timeout=20s"),
        /condition met/,
      )
      await kubectl('wait serviceaccount/default --for=create --timeout=20s')
      const containers = [{ name: 'c', image: 'c:1', resources: { requests: { cpu: '100m' } } }]
      const said = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const body = { metadata: { name: `racer-${index}` }, spec: { containers } }
          try {
            await core.createNamespacedPod({ namespace: 'race', body })
            return 'created'
          } catch (error) {
            return (JSON.parse((error as ApiException<string>).body) as { readonly message: string }).message
          }
        }),
      )
      const refused = said.filter((words) => words !== 'created')
      assert.equal(refused.length, 163, refused[0])
      for (const words of refused)
        assert.match(
          words,
          /^pods "racer-\d+" is forbidden: exceeded quota: few, requested: pods=1, used: pods=37, limited: pods=37$/,
        )
      assert.equal(await kubectl('get pods -o name | wc -l'), '37')
      const used = "get quota few -o jsonpath='{.status.used.pods} {.status.used.requests\\.cpu}'"
      assert.equal(await kubectl(used), '37 3700m')
      await shell.run('kubectl delete namespace race --wait=false')
    },
  )

  void test('secrets of every kind are planted, and a leak would be found', { timeout: 240_000 }, async () => {
    await plantSecrets(aksel, { runs: false })
    await assertLeaksAreFound(aksel, { runs: false })
  })
})
