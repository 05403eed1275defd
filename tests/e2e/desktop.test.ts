// The desktop as a person uses it: a real browser, a real cluster of real containers, every page.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Aksel } from './aksel.ts'
import { DesktopBrowser, type Scheme } from './browser.ts'
import { mcpClient } from './mcp-client.ts'

const CLUSTER = '/desktop/c/arm.aksel.demo'
const deadline = { timeout: 480_000 }

const objects = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: other }
---
apiVersion: v1
kind: Service
metadata: { name: quiet, namespace: shop }
spec: { selector: { app: quiet }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: talker, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: talker } }
  template:
    metadata: { labels: { app: talker } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: docker.io/aksel/shop-api:1.0
          command: [sh, -c, 'echo level=info msg=begun; echo level=error msg=needle-42; while true; do nc -w 1 $QUIET_SERVICE_HOST 80 </dev/null >/dev/null 2>&1; sleep 1; done']
---
apiVersion: v1
kind: Pod
metadata: { name: quiet, namespace: shop, labels: { app: quiet } }
spec:
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: docker.io/aksel/shop-api:1.0, command: [sh, -c, 'mkdir /tmp/w; httpd -f -p 8080 -h /tmp/w'] }]
---
apiVersion: v1
kind: Pod
metadata: { name: hungry, namespace: shop }
spec: { containers: [{ name: main, image: docker.io/aksel/shop-api:1.0, resources: { requests: { cpu: '64' } } }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data: { colour: blue }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: lamps.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { plural: lamps, singular: lamp, kind: Lamp }
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{ name: Brightness, type: integer, jsonPath: .spec.brightness }]
      schema: { openAPIV3Schema: { type: object, properties: { spec: { type: object, properties: { brightness: { type: integer } } } } } }
---
apiVersion: v1
kind: Secret
metadata: { name: door, namespace: shop }
stringData: { code: open-sesame }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: papers, namespace: shop }
spec: { storageClassName: managed-csi, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: reader, namespace: shop }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader, namespace: shop }
rules: [{ apiGroups: [''], resources: [pods, configmaps], verbs: [get, list, watch] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader, namespace: shop }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
subjects: [{ kind: ServiceAccount, name: reader, namespace: shop }]
`

const held = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: held, namespace: other }
spec: { maxUnavailable: 0, selector: { matchLabels: { app: held } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: held, namespace: other }
spec:
  selector: { matchLabels: { app: held } }
  template:
    metadata: { labels: { app: held } }
    spec:
      nodeSelector: { tier: batch }
      tolerations: [{ operator: Exists }]
      containers: [{ name: main, image: docker.io/aksel/shop-api:1.0 }]
`

void suite('the desktop', () => {
  let aksel: Aksel
  let browser: DesktopBrowser
  let origin: string

  const link = async (): Promise<string> =>
    (JSON.parse(await aksel.ok(['desktop', '-o', 'json'])) as { readonly url: string }).url
  const at = (path: string): Promise<void> => browser.visit(origin + path)

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--nodes', '2', '--enable-acns', '--network-policy', 'azure'], { timeoutMs: 170_000 })
    await aksel.kubectl('apply -f -', { input: objects })
    await aksel.kubectl('wait -n shop --for=condition=Ready pod/quiet --timeout=90s')
    await aksel.kubectl('rollout status -n shop deployment/talker --timeout=90s')
    // Its kind is served from when it is established.
    await aksel.kubectl('wait --for=condition=Established crd/lamps.example.org --timeout=60s')
    await aksel.kubectl('apply -f -', {
      input:
        'apiVersion: example.org/v1\nkind: Lamp\nmetadata: { name: desk, namespace: shop }\nspec: { brightness: 731 }\n',
    })
    browser = await DesktopBrowser.open(aksel.dataDir)
  }, deadline)
  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await aksel[Symbol.asyncDispose]()
  })

  test('the link of `aksel desktop` signs in, once, and leaves no secret behind', deadline, async () => {
    const url = await link()
    origin = new URL(url).origin
    await browser.visit(url)
    await browser.see('demo', 'table')
    await browser.see('Running')
    assert.equal(new URL(browser.page.url()).hash, '')
    const kept = await browser.page.evaluate('JSON.stringify(Object.entries(localStorage)) + document.cookie')
    assert.doesNotMatch(String(kept), /aksel=|[\w-]{30,}/)
    await browser.page.deleteCookie(...(await browser.page.cookies()))
    await browser.visit('about:blank')
    await browser.visit(url)
    await browser.see('That link was used already or is too old.')
    await browser.visit(await link())
    await browser.see('demo', 'table')
  })

  test(
    'every page shows what there is, in light and in dark, and axe finds nothing against it',
    { timeout: 600_000 },
    async () => {
      const talker = (
        await aksel.kubectl('get pods -n shop -l app=talker -o jsonpath={.items[0].metadata.name}')
      ).trim()
      const well = 'Nothing is wrong with it'
      const pages: readonly (readonly [name: string, path: string, ...texts: readonly string[]])[] = [
        ['clusters', '/desktop/', 'nodepool1'],
        ['create', '/desktop/create', 'az aks create'],
        ['overview', CLUSTER, 'It asks for 64 of cpu'],
        ['diagnosis', `${CLUSTER}/problems`, 'kubectl describe pod hungry'],
        ['pools', `${CLUSTER}/pools`, 'aks-nodepool1-'],
        ['nodes', `${CLUSTER}/list/nodes`, 'Ready'],
        ['pods', `${CLUSTER}/list/pods`, 'hungry'],
        ['deployments', `${CLUSTER}/list/deployments.apps`, 'talker'],
        ['replica sets', `${CLUSTER}/list/replicasets.apps`, 'talker-'],
        ['services', `${CLUSTER}/list/services`, 'quiet'],
        ['config maps', `${CLUSTER}/list/configmaps`, 'settings'],
        ['secrets', `${CLUSTER}/list/secrets`, 'door'],
        ['volume claims', `${CLUSTER}/list/persistentvolumeclaims`, 'papers'],
        ['storage classes', `${CLUSTER}/list/storageclasses.storage.k8s.io`, 'disk.csi.azure.com'],
        ['events', `${CLUSTER}/list/events`, 'FailedScheduling'],
        ['custom kind', `${CLUSTER}/list/lamps.example.org`, 'Brightness', '731'],
        ['pod', `${CLUSTER}/object/pods/shop/hungry`, 'No node takes it', 'It asks for 64 of cpu'],
        ['deployment', `${CLUSTER}/object/deployments.apps/shop/talker`, 'Enough replicas have been ready', well],
        ['service', `${CLUSTER}/object/services/shop/quiet`, 'Forward port 80', well],
        ['config map', `${CLUSTER}/object/configmaps/shop/settings`, 'colour', well],
        ['secret', `${CLUSTER}/object/secrets/shop/door`, 'code', well],
        ['volume claim', `${CLUSTER}/object/persistentvolumeclaims/shop/papers`, 'managed-csi', well],
        ['custom object', `${CLUSTER}/object/lamps.example.org/shop/desk`, 'Lamp', well],
        [
          'node',
          `${CLUSTER}/object/nodes/-/${(await aksel.kubectl('get nodes -o jsonpath={.items[0].metadata.name}')).trim()}`,
          'It takes pods and reports in time.',
          well,
        ],
        ['logs', `${CLUSTER}/object/pods/shop/${talker}?tab=logs`, 'needle-42'],
        ['yaml', `${CLUSTER}/object/pods/shop/${talker}?tab=yaml`, 'As it is on the server.'],
        ['terminal', `${CLUSTER}/object/pods/shop/${talker}?tab=terminal`, 'Connected'],
        ['object events', `${CLUSTER}/object/pods/shop/${talker}?tab=events`, 'Started container main'],
        ['flows', `${CLUSTER}/flows`, 'shop/talker'],
      ]
      const wrong: string[] = []
      for (const [name, path, ...texts] of pages) {
        await browser.scheme('light')
        await at(path)
        for (const text of texts) await browser.see(text)
        for (const scheme of ['light', 'dark'] satisfies readonly Scheme[]) {
          await browser.scheme(scheme)
          await browser.shot(`${name.replaceAll(' ', '-')}-${scheme}`)
          wrong.push(
            ...(await browser.axe(scheme === 'light' ? 'all' : 'colours')).map(
              (violation) => `${name}, ${scheme}: ${violation}`,
            ),
          )
        }
      }
      await browser.scheme('light')
      assert.deepEqual(wrong, [])
      assert.deepEqual(browser.complaints, [])
    },
  )

  test('a list follows the cluster, is filtered, sorted and walked by keys', deadline, async () => {
    await at(`${CLUSTER}/list/pods`)
    await browser.see('hungry')
    await aksel.kubectl(
      'run newcomer -n other --image=docker.io/aksel/shop-api:1.0 --labels=who=new --command -- sleep 600',
    )
    await browser.see('newcomer')
    await browser.page.keyboard.press('/')
    await browser.page.keyboard.type('label:who=new')
    await browser.gone('[role="grid"] ::-p-text(hungry)')
    await browser.see('newcomer')
    await aksel.kubectl('delete pod newcomer -n other --grace-period=0 --force')
    await browser.see('Nothing matches')
    await browser.page.keyboard.press('Escape')
    await browser.see('hungry')
    await browser.press('button', 'Name')
    await browser.seeElement('[aria-sort="ascending"]')
    await browser.page.focus('[role="grid"]')
    await browser.page.keyboard.press('ArrowDown')
    await browser.page.keyboard.press('Enter')
    await browser.see('Conditions')
    assert.match(browser.page.url(), /object\/pods\/shop\/hungry/)
  })

  test('a deployment is scaled, restarted and deleted, each after a question', deadline, async () => {
    await aksel.kubectl('create deployment web -n other --image=docker.io/aksel/shop-api:1.0 --replicas=1')
    await at(`${CLUSTER}/object/deployments.apps/other/web`)
    await browser.press('button', 'Scale')
    await browser.see('kubectl scale deployments/web -n other --replicas=1')
    await browser.type('Replicas', '3', 'spinbutton')
    await browser.page.keyboard.press('Enter')
    await browser.see('--replicas=3')
    await browser.answer('Scale')
    await aksel.kubectl(`wait -n other --for=jsonpath={.spec.replicas}=3 deployment/web --timeout=30s`)
    await browser.press('button', 'Restart')
    await browser.answer('Restart')
    await aksel.kubectl('wait -n other --for=jsonpath={.metadata.generation}=3 deployment/web --timeout=30s')
    await browser.gone('[role="alertdialog"]')
    await browser.press('button', 'More')
    await browser.press('menuitem', 'Delete')
    await browser.answer('Delete')
    await browser.see('Deleted')
    await aksel.kubectl('wait -n other --for=delete deployment/web --timeout=30s')
  })

  test('logs of all pods of a deployment are one, searched and filtered', deadline, async () => {
    await at(`${CLUSTER}/object/deployments.apps/shop/talker?tab=logs`)
    await browser.see('2 containers')
    await browser.see('4 of 4 lines')
    await browser.type('Search the log', '/needle-\\d+/')
    await browser.seeElement('.log mark')
    await browser.press('switch', 'Only matches')
    await browser.see('2 of 4 lines')
  })

  test('a log is followed as it is written, by pods that come later as well', deadline, async () => {
    await at(`${CLUSTER}/object/deployments.apps/shop/talker?tab=logs`)
    await browser.see('4 of 4 lines')
    const talker = (await aksel.kubectl('get pods -n shop -l app=talker -o jsonpath={.items[0].metadata.name}')).trim()
    const write = (text: string): Promise<string> =>
      aksel.kubectl(['exec', talker, '-n', 'shop', '--', 'sh', '-c', `echo ${text} > /proc/1/fd/1`])
    await write('while-you-look')
    await browser.see('while-you-look', '.log')
    await aksel.kubectl('scale deployment/talker -n shop --replicas=3')
    await browser.see('3 containers')
    await browser.see('7 of 7 lines')
    // Who scrolls up reads on, whatever comes in.
    await browser.press('switch', 'Follow')
    await write('not-followed')
    await browser.see('8 of 8 lines')
    await browser.shot('logs-of-several')
    await aksel.kubectl('scale deployment/talker -n shop --replicas=2')
  })

  test('a terminal runs what is typed', deadline, async () => {
    await at(`${CLUSTER}/object/pods/shop/quiet?tab=terminal`)
    await browser.see('Connected')
    await browser.page.keyboard.type('echo it-$((40 + 2))\n')
    await browser.see('it-42', '.xterm')
  })

  test('YAML is edited with the schema, shown as a difference, and written', deadline, async () => {
    await at(`${CLUSTER}/object/configmaps/shop/settings?tab=yaml`)
    await browser.see('colour', '.cm-content')
    await browser.page.click('.cm-content')
    const end = async (text: string): Promise<void> => {
      await browser.page.keyboard.down('Control')
      await browser.page.keyboard.press('End')
      await browser.page.keyboard.up('Control')
      await browser.page.keyboard.type(text)
    }
    await end('daat: {}')
    await browser.see('there is no field "daat"')
    for (const _ of 'daat: {}') await browser.page.keyboard.press('Backspace')
    await end("  'not a key': x")
    await browser.press('button', 'Review changes')
    // It is the server that says so: nothing was written.
    await browser.see('a valid config key must consist of')
    assert.deepEqual(await browser.axe(), [])
    await browser.press('button', 'Discard')
    await browser.see('As it is on the server.')
    await browser.page.click('.cm-content')
    await end('  size: large')
    await browser.press('button', 'Review changes')
    await browser.see('+   size: large', '.diff')
    await browser.shot('yaml-review')
    await browser.press('button', 'Apply')
    await browser.gone('[role="dialog"]')
    await aksel.kubectl('wait -n shop --for=jsonpath={.data.size}=large configmap/settings --timeout=30s')
  })

  test('what a policy drops is seen as it happens', deadline, async () => {
    await at(`${CLUSTER}/flows`)
    await browser.see('shop/talker')
    await aksel.kubectl('apply -f -', {
      input:
        'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: nobody, namespace: shop }\nspec: { podSelector: { matchLabels: { app: quiet } }, policyTypes: [Ingress] }\n',
    })
    await browser.see('denied by shop/nobody')
    await aksel.kubectl('delete networkpolicy nobody -n shop')
  })

  test('a port of a service is brought to this machine, and taken away', deadline, async () => {
    await at(`${CLUSTER}/object/services/shop/quiet`)
    await browser.press('button', 'Forward port 80')
    await browser.see('127.0.0.1:')
    const link = await browser.page.waitForSelector('a[href^="http://127.0.0.1:"]')
    const url = String(await link!.evaluate((each) => (each as unknown as { readonly href: string }).href))
    // Its folder is empty: that the pod itself says so is what is to be seen.
    assert.equal((await fetch(url)).status, 404)
    await at(CLUSTER)
    await browser.see('Service shop/quiet')
    assert.deepEqual(await browser.axe(), [])
    await browser.shot('port-forward')
    await browser.press('button', 'Stop forwarding port 80 of quiet')
    await browser.gone('section[aria-label="Forwarded ports"]')
    await assert.rejects(fetch(url))
  })

  test('a pool is added, scaled, labelled, tainted, stopped, started and deleted', deadline, async () => {
    const card = 'section[aria-label="Pool extra"]'
    await at(`${CLUSTER}/pools`)
    await browser.press('button', 'Add pool')
    await browser.type('Name', 'extra')
    await browser.press('switch', 'Simulated nodes: no container runs')
    await browser.see('az aks nodepool add -g aksel --cluster-name demo -n extra')
    assert.deepEqual(await browser.axe(), [])
    await browser.shot('pool-add')
    await browser.answer('Add pool')
    // Until its last order is done there is nothing to choose.
    const idle = (): Promise<void> => browser.seeElement(`${card} button[aria-haspopup="menu"]:not([disabled])`)
    const choose = async (what: string): Promise<void> => {
      await idle()
      await browser.press('button', 'What to do with extra')
      await browser.press('menuitem', what)
    }
    await idle()
    await browser.page.locator(`${card} button ::-p-text(Scale)`).click()
    await browser.type('Nodes', '2', 'spinbutton')
    await browser.page.keyboard.press('Tab')
    await browser.see('az aks nodepool scale -g aksel --cluster-name demo -n extra -c 2')
    await browser.answer('Scale')
    await browser.see('vmss000001', card)
    await choose('Labels and taints')
    await browser.type('Labels', 'tier=batch')
    await browser.type('Taints', 'batch=yes:NoSchedule')
    await browser.see('--labels tier=batch')
    await browser.see("--node-taints 'batch=yes:NoSchedule'")
    await browser.answer('Save')
    await browser.see('tier=batch', card)
    await browser.see('batch=yes:NoSchedule', card)
    const nodes = (): Promise<string> =>
      aksel.kubectl('get nodes -l tier=batch -o jsonpath={.items[*].spec.taints[0].key}')
    await idle()
    assert.equal((await nodes()).trim(), 'batch batch')
    await browser.shot('pool-extra')
    await choose('Stop')
    await browser.answer('Stop')
    await browser.see('Stopped', card)
    await choose('Start')
    await browser.answer('Start')
    await browser.see('Running', card)
    await aksel.kubectl('wait node -l tier=batch --for=condition=Ready --timeout=60s')
  })

  test('what a dialog is left by changes nothing: Cancel, Escape, and a click beside it', deadline, async () => {
    const before = await aksel.ok(['az', 'aks', 'nodepool', 'list', '-g', 'aksel', '--cluster-name', 'demo'])
    const open = async (): Promise<void> => {
      await browser.seeElement('section[aria-label="Pool extra"] button[aria-haspopup="menu"]:not([disabled])')
      await browser.press('button', 'What to do with extra')
      await browser.press('menuitem', 'Upgrade')
    }
    // At once, and when Azure has answered: nothing may move away from under the pointer.
    for (const text of ['--node-image-only', 'The pool has the version of its control plane.']) {
      await open()
      await browser.see(text)
      await browser.answer('Cancel')
    }
    await browser.shot('pool-upgrade')
    await open()
    await browser.page.keyboard.press('Escape')
    await browser.gone('[role="dialog"]')
    await open()
    await browser.seeElement('[role="dialog"]')
    await browser.page.mouse.click(5, 5)
    await browser.gone('[role="dialog"]')
    assert.equal(await aksel.ok(['az', 'aks', 'nodepool', 'list', '-g', 'aksel', '--cluster-name', 'demo']), before)
  })

  test('what went wrong is told below the buttons of a dialog, which stay where they are', deadline, async () => {
    await aksel.kubectl('create configmap example')
    await at(`${CLUSTER}/list/configmaps`)
    await browser.see('settings')
    await browser.press('button', 'Create')
    const button = await browser.page.waitForSelector('[role="dialog"] button ::-p-text(Create)')
    await browser.see('kind: ConfigMap', '.cm-content')
    const before = await button!.boundingBox()
    await button!.click()
    await browser.see('configmaps "example" already exists', '[role="dialog"]')
    assert.deepEqual(await button!.boundingBox(), before)
    assert.deepEqual(await browser.axe(), [])
    await browser.shot('dialog-refused')
    await browser.answer('Cancel')
  })

  test('an operation in progress is seen with what it waits for, until it is over', deadline, async () => {
    // A budget that lets no pod go holds up the drain, and with it whoever ordered it.
    await aksel.kubectl('apply -f -', { input: held })
    await aksel.kubectl('rollout status -n other deployment/held --timeout=110s')
    await at(`${CLUSTER}/pools`)
    await browser.press('button', 'What to do with extra')
    await browser.press('menuitem', 'Stop')
    await browser.answer('Stop')
    const card = 'section[aria-label="Pool extra"]'
    await browser.see('Stopping', card)
    await browser.seeElement('[role="status"] [role="progressbar"]')
    await browser.see('SchedulingDisabled', card)
    await browser.shot('pool-stopping')
    assert.deepEqual(await browser.axe(), [])
    await at('/desktop/')
    await browser.see('1 with an operation in progress')
    await browser.see('extra: Stopping', 'table')
    await browser.shot('clusters-in-progress')
    assert.deepEqual(await browser.axe(), [])
    await aksel.kubectl('delete poddisruptionbudget held -n other')
    await browser.gone('table [role="progressbar"]')
    await browser.see('Running', 'table')
    await at(`${CLUSTER}/pools`)
    await browser.see('Stopped', 'section[aria-label="Pool extra"]')
    await browser.press('button', 'What to do with extra')
    await browser.press('menuitem', 'Delete')
    await browser.type('Type extra to confirm', 'extra')
    await browser.answer('Delete')
    await browser.gone('section[aria-label="Pool extra"]')
    await aksel.kubectl('delete deployment held -n other')
  })

  test('an agent reads the logs of a machine and the flows of its pods', deadline, async () => {
    const { client, text } = await mcpClient(aksel)
    try {
      const [set] = JSON.parse(await text('get_aks_vmss_info', { node_pool_name: 'nodepool1' })) as [{ name: string }]
      const logs = (type: string, more: object = {}): Promise<string> =>
        text('collect_aks_node_logs', { vmss_name: set.name, instance_id: '0', log_type: type, ...more })
      const agent = (await logs('kubelet', { lines: 20 })).split('\n')
      assert.ok(agent.length > 1 && agent.length <= 20)
      for (const line of agent) assert.ok((JSON.parse(line) as { readonly msg: string }).msg.length > 0)
      assert.match(await logs('containerd'), /level=info/)
      assert.equal(await logs('containerd', { filter: 'nobody-ever-wrote-this' }), '')
      const flows = (await text('call_hubble', { command: 'observe --namespace shop --last 3', timeout: 10 })).split(
        '\n',
      )
      assert.ok(flows.length > 0 && flows.length <= 3)
      for (const line of flows) assert.match(line, /"pod_name":"(talker-|quiet)/)
    } finally {
      await client.close()
    }
  })

  test('a node is drained, as its pods’ budgets allow, and taken back', deadline, async () => {
    const node = (await aksel.kubectl('get pod quiet -n shop -o jsonpath={.spec.nodeName}')).trim()
    await at(`${CLUSTER}/object/nodes/-/${node}`)
    await browser.press('button', 'Drain')
    await browser.page.locator('[role="alertdialog"] button ::-p-text(Drain)').click()
    await browser.see('Nothing is left on it.')
    await browser.press('button', 'Close')
    await browser.see('Ready, cordoned')
    await browser.press('button', 'Uncordon')
    await browser.seeElement('button ::-p-text(Cordon)')
    assert.equal((await aksel.kubectl(`get node ${node} -o jsonpath={.spec.unschedulable}`)).trim(), '')
  })

  test('the wizard makes the cluster that its command would, and the list shows it under way', deadline, async () => {
    await at('/desktop/create')
    await browser.type('Name', 'second')
    await browser.type('Nodes', '1', 'spinbutton')
    await browser.page.keyboard.press('Tab')
    await browser.press('switch', 'Simulated nodes: no container runs')
    await browser.see('az aks create -g aksel -n second')
    await browser.see('--node-count 1')
    await browser.press('tab', 'ARM')
    await browser.see('"aksel.simulated": "true"')
    await browser.press('button', 'Create cluster')
    await browser.see('simulated: no container runs', '.head')
    await at('/desktop/')
    await browser.see('second', 'table')
    await browser.press('button', 'What to do with second')
    await browser.press('menuitem', 'Delete')
    await browser.type('Type second to confirm', 'second')
    await browser.answer('Delete')
    await browser.gone('table ::-p-text(second)')
  })

  test('who has rights in one namespace sees that one, and nothing that would be refused', deadline, async () => {
    const token = (await aksel.kubectl('create token reader -n shop')).trim()
    await browser.press('button', 'Account')
    await browser.press('menuitem', 'Sign out')
    await browser.press('tab', 'Token')
    await browser.type('Cluster', 'aksel/demo')
    await browser.type('Token', token)
    await browser.press('button', 'Sign in')
    await browser.see('By their own credentials')
    await at(`${CLUSTER}/list/pods`)
    await browser.see('hungry')
    await browser.see('shop', '.bar')
    const nav = await browser.page.$$eval('nav.side a', (links) =>
      links.map((each) => (each as unknown as { readonly innerText: string }).innerText.trim()),
    )
    assert.deepEqual(nav, ['Overview', 'Diagnosis', 'Pods', 'Config maps'])
    assert.equal(await browser.page.$('::-p-aria([role="button"][name="Create"])'), null)
    await at(`${CLUSTER}/object/pods/shop/hungry`)
    await browser.see('No node takes it')
    assert.doesNotMatch(await browser.text(), /Terminal|\nLogs\n/)
    await browser.shot('namespace-only')
    assert.deepEqual(await browser.axe(), [])
  })

  test('a kubeconfig is served without the server’s page, and its link lets in once', deadline, async () => {
    await using served = aksel.start(['desktop', '--kubeconfig', `${aksel.dataDir}/kubeconfig`, '-o', 'json'])
    const { url } = JSON.parse(/\{"url".*\}/.exec(await served.says(/\{"url".*\}/))![0]) as { readonly url: string }
    assert.match(url, /^http:\/\/localhost:/)
    await browser.visit(url)
    await browser.see('By their own credentials')
    await browser.page.locator('table a ::-p-text(demo)').click()
    await browser.see('It asks for 64 of cpu')
    assert.deepEqual(browser.complaints, [])
  })
})
