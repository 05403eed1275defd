// `aksel kubelogin get-token`: one request for a token, and what kubectl wants to read of the answer.

import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { systemClock, type Clock } from '@aksel/base/clock'
import { Option, type Command } from 'commander'
import { CommandError } from '../command-error.ts'
import { connectionFile, readJsonFile, type ConnectionFile } from '../files.ts'
import { execCredential, readTokenFile, tokenRequest, type TokenFlags, type TokenRequest } from '../kubelogin.ts'
import { readOptions, type CliOptions } from '../options.ts'

const TIMEOUT_MS = 30_000

type Environment = Readonly<Record<string, string | undefined>>

export function addKubelogin(program: Command, environment: Environment): void {
  // What kubelogin takes and nothing here depends on: which cloud, where it caches, how a person would be asked.
  const unused = ['--environment', '--cache-dir', '--token-cache-dir', '--username', '--password', '--redirect-url']
  const command = program
    .command('kubelogin')
    .description("kubectl's exec plug-in for clusters with an Entra profile, in kubelogin's place.")
    .command('get-token')
    .description('Print a token of the directory as kubectl reads it.')
    .option('--server-id <id>', 'application of the API servers')
    .option('-l, --login <method>', 'azurecli, spn, workloadidentity or msi; AAD_LOGIN_METHOD goes first', 'devicecode')
    .option('--client-id <id>', 'who asks')
    .option('--client-secret <secret>', 'for spn')
    .option('-t, --tenant-id <id>', 'directory')
    .option('--federated-token-file <path>', 'for workloadidentity')
    .option('--authority-host <url>', 'where the directory answers')
    .option('--identity-resource-id <id>', 'for msi, in the place of a client id')
    .option('--legacy', 'the v1 endpoint')
    .option('--data <folder>', 'where clusters, disks and logs live')
  for (const flag of unused) command.addOption(new Option(`${flag} <value>`).hideHelp())
  command.action(async (flags: TokenFlags & { readonly data?: string }) => {
    process.stdout.write(await kubelogin(readOptions(environment, flags.data), flags))
  })
}

/** The text for standard output. */
export async function kubelogin(options: CliOptions, flags: TokenFlags, clock: Clock = systemClock()): Promise<string> {
  const { environment, dataDir } = options
  const connection = readJsonFile<ConnectionFile>(connectionFile(dataDir))
  const signedIn = connection === undefined ? undefined : { ...connection, authority: connection.armUrl }
  const request = await tokenRequest({ flags, environment, signedIn, readText: readTokenFile })
  const ca = connection === undefined ? undefined : readFileSync(connection.caPath, 'utf8')
  const answer = await exchange(request, ca)
  if (typeof answer.access_token !== 'string') {
    throw new CommandError(`failed to get token: ${answer.error_description ?? answer.error ?? 'the answer has none'}`)
  }
  const expiresAtMs = clock.now() + Number(answer.expires_in ?? 0) * 1000
  return execCredential({ accessToken: answer.access_token, expiresAtMs }, environment)
}

interface TokenAnswer {
  readonly access_token?: string
  readonly expires_in?: number | string
  readonly error?: string
  readonly error_description?: string
}

function exchange({ url, headers, form }: TokenRequest, ca: string | undefined): Promise<TokenAnswer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const method = form === undefined ? 'GET' : 'POST'
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers }, timeout: TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) }
    const outgoing = send(url, options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        try {
          resolve(JSON.parse(text) as TokenAnswer)
        } catch (cause) {
          reject(new Error(`failed to get token: ${response.statusCode} ${text.slice(0, 200)}`, { cause }))
        }
      })
    })
    outgoing.on('timeout', () =>
      outgoing.destroy(new CommandError(`failed to get token: ${url} did not answer in time`)),
    )
    outgoing.on('error', reject)
    outgoing.end(form === undefined ? undefined : new URLSearchParams(form).toString())
  })
}
