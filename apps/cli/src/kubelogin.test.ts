// The exec plug-in in kubelogin's place: the requests that each login method sends, and the directory's answers to them.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { clientId, clientSecret, openFrontDoor, subscriptionId, tenantId } from '@aksel/arm/testing/opened-front-door'
import { aksServerId } from '@aksel/arm/front-door/tokens'
import { kubelogin } from './commands/kubelogin.ts'
import { connectionFile } from './files.ts'
import { tokenRequest, type TokenFlags, type TokenWish } from './kubelogin.ts'

const authority = 'https://localhost:8443'
const signedIn = { authority, tenantId: 't', clientId: 'me', clientSecret: 'mine' }
const serverId = aksServerId
const scope = `${serverId}/.default`
const form = { 'content-type': 'application/x-www-form-urlencoded' }

interface Row {
  readonly what: string
  readonly flags: TokenFlags
  readonly environment?: Readonly<Record<string, string>>
  readonly sent: Awaited<ReturnType<typeof tokenRequest>>
}

const rows: readonly Row[] = [
  {
    what: 'spn by flags',
    flags: { serverId, login: 'spn', clientId: 'app', clientSecret: 's', tenantId: 'other' },
    sent: {
      url: `${authority}/other/oauth2/v2.0/token`,
      headers: form,
      form: { grant_type: 'client_credentials', client_id: 'app', client_secret: 's', scope },
    },
  },
  {
    what: 'spn by the environment, which goes first, at the v1 endpoint',
    flags: { serverId, login: 'devicecode', clientId: 'app', tenantId: 'other', legacy: true },
    environment: {
      AAD_LOGIN_METHOD: 'spn',
      AAD_SERVICE_PRINCIPAL_CLIENT_ID: 'env',
      AAD_SERVICE_PRINCIPAL_CLIENT_SECRET: 'es',
      AZURE_TENANT_ID: 'et',
      AZURE_AUTHORITY_HOST: 'https://login.test/',
    },
    sent: {
      url: 'https://login.test/et/oauth2/token',
      headers: form,
      form: { grant_type: 'client_credentials', client_id: 'env', client_secret: 'es', resource: serverId },
    },
  },
  {
    what: 'workloadidentity, as a pod is told by its environment',
    flags: { serverId, login: 'workloadidentity' },
    environment: {
      AZURE_CLIENT_ID: 'pod',
      AZURE_TENANT_ID: 't',
      AZURE_FEDERATED_TOKEN_FILE: '/var/token',
      AZURE_AUTHORITY_HOST: `${authority}/`,
    },
    sent: {
      url: `${authority}/t/oauth2/v2.0/token`,
      headers: form,
      form: {
        grant_type: 'client_credentials',
        client_id: 'pod',
        client_assertion: 'text of /var/token',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        scope,
      },
    },
  },
  {
    what: 'msi with an identity of the user',
    flags: { serverId, login: 'msi', clientId: 'identity' },
    sent: {
      url: `http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${serverId}&client_id=identity`,
      headers: { metadata: 'true' },
    },
  },
  {
    what: 'azurecli: whoever the command line is signed in as, in its own directory',
    flags: { serverId, login: 'azurecli', tenantId: 'other' },
    sent: {
      url: `${authority}/t/oauth2/v2.0/token`,
      headers: form,
      form: { grant_type: 'client_credentials', client_id: 'me', client_secret: 'mine', scope },
    },
  },
]

const wish = (flags: TokenFlags, environment: TokenWish['environment'] = {}): TokenWish => ({
  flags,
  environment,
  signedIn,
  readText: (path) => Promise.resolve(`text of ${path}\n`),
})

for (const { what, flags, environment, sent } of rows) {
  test(`the plug-in sends what kubelogin sends: ${what}`, async () => {
    assert.deepEqual(await tokenRequest(wish(flags, environment)), sent)
  })
}

test('the plug-in says what is missing, and which methods need a person', async () => {
  for (const [flags, message] of [
    [{}, /server-id is required/],
    [{ serverId, login: 'spn', clientSecret: 's' }, /client-id cannot be empty/],
    [{ serverId, login: 'workloadidentity', clientId: 'c' }, /federated-token-file cannot be empty/],
    [{ serverId, login: 'magic' }, /"magic" is not a supported login method\./],
    [{ serverId }, /"devicecode" asks a person, and this directory has none/],
  ] as const) {
    await assert.rejects(tokenRequest(wish(flags)), message)
  }
  const nobody = { ...wish({ serverId, login: 'azurecli' }), signedIn: undefined }
  await assert.rejects(tokenRequest(nobody), /Nobody is signed in here/)
})

test("kubectl's exec plug-in gets a token of the directory, in the version that kubectl asks for", async () => {
  await using opened = await openFrontDoor()
  const dataDir = mkdtempSync(join(tmpdir(), 'aksel-kubelogin-'))
  try {
    const caPath = join(dataDir, 'ca.pem')
    writeFileSync(caPath, opened.caPem)
    mkdirSync(join(dataDir, 'server'))
    const connection = { armUrl: opened.url, caPath, tenantId, clientId, clientSecret, subscriptionId }
    writeFileSync(connectionFile(dataDir), JSON.stringify(connection))
    const ask = async (flags: TokenFlags, environment: Readonly<Record<string, string>> = {}) =>
      JSON.parse(
        await kubelogin({ repositoryRoot: '/', dataDir, isRoot: false, environment }, { serverId, ...flags }),
      ) as {
        readonly kind: string
        readonly apiVersion: string
        readonly status: { readonly token: string; readonly expirationTimestamp: string }
      }
    const info = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', spec: {} })
    const own = await ask({ login: 'azurecli' }, { KUBERNETES_EXEC_INFO: info })
    assert.deepEqual([own.kind, own.apiVersion], ['ExecCredential', 'client.authentication.k8s.io/v1'])
    const claims = JSON.parse(Buffer.from(own.status.token.split('.')[1]!, 'base64url').toString()) as {
      readonly aud: string
      readonly exp: number
    }
    assert.equal(claims.aud, serverId)
    assert.match(own.status.expirationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.ok(Math.abs(Date.parse(own.status.expirationTimestamp) / 1000 - claims.exp) < 120)
    const spn = await ask({ login: 'spn', clientId, clientSecret, legacy: true })
    assert.equal(spn.apiVersion, 'client.authentication.k8s.io/v1beta1')
    await assert.rejects(ask({ login: 'spn', clientId, clientSecret: 'wrong' }), /failed to get token: AADSTS7000215/)
    await assert.rejects(
      ask({ login: 'azurecli' }, { KUBERNETES_EXEC_INFO: '{"apiVersion":"client.authentication.k8s.io/v9"}' }),
      /v9 is not supported/,
    )
  } finally {
    rmSync(dataDir, { recursive: true })
  }
})
