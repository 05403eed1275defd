// kubelogin's part between kubectl and a cluster with an Entra profile: kubectl runs it as its exec plug-in and is handed a token of the
// directory. Flags, environment and requests are kubelogin's own; the directory is the front door's.

import { readFile } from 'node:fs/promises'
import { CommandError } from './command-error.ts'

export const loginMethods = [
  'devicecode',
  'interactive',
  'spn',
  'ropc',
  'msi',
  'azurecli',
  'azd',
  'workloadidentity',
] as const
export type LoginMethod = (typeof loginMethods)[number]

/** The flags of `kubelogin get-token` that mean something here. */
export interface TokenFlags {
  readonly serverId?: string
  readonly login?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly tenantId?: string
  readonly federatedTokenFile?: string
  readonly authorityHost?: string
  readonly identityResourceId?: string
  /** The v1 endpoint, with `resource` in the scope's place. */
  readonly legacy?: boolean
}

/** Where the caller is signed in with the command line, and whom that is. */
export interface SignedIn {
  readonly authority: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
}

export interface TokenRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent: a GET. */
  readonly form?: Readonly<Record<string, string>>
}

type Environment = Readonly<Record<string, string | undefined>>

export interface TokenWish {
  readonly flags: TokenFlags
  readonly environment: Environment
  /** Undefined where no server of this host is known. */
  readonly signedIn: SignedIn | undefined
  readonly readText: (path: string) => Promise<string>
}

const METADATA = 'http://169.254.169.254/metadata/identity/oauth2/token'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export const readTokenFile = (path: string): Promise<string> => readFile(path, 'utf8')

/** `AAD_LOGIN_METHOD` goes before the flag, as kubelogin has it. */
export function loginMethodOf(flags: TokenFlags, environment: Environment): LoginMethod {
  const asked = first(environment['AAD_LOGIN_METHOD'], flags.login) ?? 'devicecode'
  const found = loginMethods.find((method) => method === asked.toLowerCase())
  if (found === undefined) {
    throw new CommandError(
      `"${asked}" is not a supported login method. Supported method is one of ${loginMethods.join(', ')}.`,
    )
  }
  return found
}

/** The one request that kubelogin sends with these flags. */
export async function tokenRequest(wish: TokenWish): Promise<TokenRequest> {
  const { flags, environment } = wish
  const serverId = first(flags.serverId)
  if (serverId === undefined) throw new CommandError('server-id is required')
  const method = loginMethodOf(flags, environment)
  switch (method) {
    case 'spn':
      return forSecret(wish, serverId, {
        clientId: needed(
          first(environment['AAD_SERVICE_PRINCIPAL_CLIENT_ID'], environment['AZURE_CLIENT_ID'], flags.clientId),
          'client-id',
        ),
        clientSecret: needed(
          first(
            environment['AAD_SERVICE_PRINCIPAL_CLIENT_SECRET'],
            environment['AZURE_CLIENT_SECRET'],
            flags.clientSecret,
          ),
          'client-secret',
        ),
      })
    case 'azurecli':
    case 'azd': {
      const { signedIn } = wish
      if (signedIn === undefined)
        throw new CommandError(
          'Nobody is signed in here: there is no server\'s "connection.json" below the data folder.',
        )
      return forSecret({ ...wish, flags: { ...flags, tenantId: signedIn.tenantId } }, serverId, signedIn)
    }
    case 'workloadidentity':
      return forAssertion(wish, serverId)
    case 'msi':
      return forMachine(wish, serverId)
    case 'devicecode':
    case 'interactive':
    case 'ropc':
      throw new CommandError(
        `Login method "${method}" asks a person, and this directory has none: set AAD_LOGIN_METHOD or --login to azurecli, spn, workloadidentity or msi.`,
      )
    default:
      return method satisfies never
  }
}

function forSecret(
  wish: TokenWish,
  serverId: string,
  client: { readonly clientId: string; readonly clientSecret: string },
): TokenRequest {
  return posted(wish, serverId, { client_id: client.clientId, client_secret: client.clientSecret })
}

async function forAssertion(wish: TokenWish, serverId: string): Promise<TokenRequest> {
  const { flags, environment, readText } = wish
  const file = needed(
    first(flags.federatedTokenFile, environment['AZURE_FEDERATED_TOKEN_FILE']),
    'federated-token-file',
  )
  return posted(wish, serverId, {
    client_id: needed(first(flags.clientId, environment['AZURE_CLIENT_ID']), 'client-id'),
    client_assertion: (await readText(file)).trim(),
    client_assertion_type: ASSERTION_TYPE,
  })
}

function posted(
  { flags, environment, signedIn }: TokenWish,
  serverId: string,
  client: Readonly<Record<string, string>>,
): TokenRequest {
  const authority = needed(
    first(flags.authorityHost, environment['AZURE_AUTHORITY_HOST'], signedIn?.authority),
    'authority-host',
  )
  const tenant = needed(first(environment['AZURE_TENANT_ID'], flags.tenantId, signedIn?.tenantId), 'tenant-id')
  const isLegacy = flags.legacy === true
  return {
    url: `${authority.replace(/\/+$/, '')}/${tenant}/oauth2/${isLegacy ? 'token' : 'v2.0/token'}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    form: {
      grant_type: 'client_credentials',
      ...client,
      ...(isLegacy ? { resource: serverId } : { scope: `${serverId}/.default` }),
    },
  }
}

/** On a machine of the cloud: its metadata answers for the identities that it has. */
function forMachine({ flags, environment }: TokenWish, serverId: string): TokenRequest {
  const url = new URL(METADATA)
  url.searchParams.set('api-version', '2018-02-01')
  url.searchParams.set('resource', serverId)
  const clientId = first(flags.clientId, environment['AZURE_CLIENT_ID'])
  if (flags.identityResourceId !== undefined) url.searchParams.set('msi_res_id', flags.identityResourceId)
  else if (clientId !== undefined) url.searchParams.set('client_id', clientId)
  return { url: url.href, headers: { metadata: 'true' } }
}

/** What kubectl reads, in the version that it asked for. */
export function execCredential(
  answer: { readonly accessToken: string; readonly expiresAtMs: number },
  environment: Environment,
): string {
  const apiVersion = askedVersion(environment['KUBERNETES_EXEC_INFO'])
  const expirationTimestamp = `${new Date(answer.expiresAtMs).toISOString().slice(0, 19)}Z`
  return JSON.stringify({
    kind: 'ExecCredential',
    apiVersion,
    spec: { interactive: false },
    status: { expirationTimestamp, token: answer.accessToken },
  })
}

function askedVersion(info: string | undefined): string {
  if (info === undefined || info === '') return 'client.authentication.k8s.io/v1beta1'
  const { apiVersion } = JSON.parse(info) as { readonly apiVersion?: string }
  if (apiVersion !== undefined && /^client\.authentication\.k8s\.io\/v1(?:beta1)?$/.test(apiVersion)) return apiVersion
  throw new CommandError(`api version: ${apiVersion} is not supported`)
}

function first(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '')
}

function needed(value: string | undefined, flag: string): string {
  if (value === undefined) throw new CommandError(`${flag} cannot be empty`)
  return value
}
